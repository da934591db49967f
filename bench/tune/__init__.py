"""Which settings a search tries next, and which of those that it has tried won."""
