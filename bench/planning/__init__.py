"""What lies ahead: what trials will cost, which of them decide most, how far a run has come."""
