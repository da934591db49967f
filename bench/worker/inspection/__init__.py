"""What there is to know of a data set before anything trains on it. In no trial: an edit makes no result another's."""
