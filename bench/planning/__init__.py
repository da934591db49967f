"""What trials will cost, and how far a run has come."""
