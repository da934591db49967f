"""Results for other tools: `bench export`, and what `[report] sinks` log to."""
