"""Clock, memory, FLOPs, validity, environment."""
