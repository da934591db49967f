"""One trial from its request to its record; all seeds of a cell at once; a learning-rate range test."""
