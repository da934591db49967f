"""`bench history`: a metric from run to run, and where its level changed."""
