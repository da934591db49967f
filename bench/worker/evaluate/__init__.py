"""What the trained model gets right, and how fast it answers."""
