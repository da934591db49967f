"""Two sides of results, cell by cell: what is a side, which cells belong together, what differs between the two."""
