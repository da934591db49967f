"""The plain loop; loaders, optimizers, precision."""
