"""Results: what is stored, and the tables of it."""
