"""The version of bench, and that of what its parent and its worker say to each other."""

__version__ = "0.1.0"
# What parent and worker say to each other of a trial and of its turns. Another number is not understood: a duel, whose
# two workers may be of two versions, refuses it.
PROTOCOL = 1
