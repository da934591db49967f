"""`bench compare`: B against A, cell by cell, and the ranking of the models of one folder."""
