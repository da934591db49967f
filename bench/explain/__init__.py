"""`bench explain`: where the spread of an accuracy comes from, and what would pay to repeat."""
