"""Two sides compared cell by cell: B against A. What is compared, what differs, tables, text and plots of it."""
