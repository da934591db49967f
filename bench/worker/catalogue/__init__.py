"""What is registered, asked by the parent: `python -m bench.worker.catalogue` prints it as JSON."""
