"""`bench gate`: keep a change, revert it, or undecided, with one error rate for all cells."""
