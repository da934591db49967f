"""`bench doctor`: are the instruments right on this machine, and how small a difference can it see?"""
