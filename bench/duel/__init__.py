"""`bench duel`: the trials of a suite by turns in two environments of one machine."""
