"""Pictures of cells that more than one command draws: points, lines, learning curves."""
