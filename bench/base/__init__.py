"""What every floor stands on: the records and their identity, the table of metrics, cache, privacy, version."""
