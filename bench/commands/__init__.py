"""What each command does, from Python values to an exit code: the command line only parses. `main` has those of every
day (run, report, list, fetch, doctor, export) and says what results a command line means."""
