"""The command line: a file a command. Each parses, calls, and gives an exit code."""
