"""Data sets: one file each, found by their decorator; beside them what they share."""
