"""The interactive page: one file that works offline. Extra `html`."""
