"""What all of the worker stands on: messages to the parent, failures, random numbers, finding components."""
