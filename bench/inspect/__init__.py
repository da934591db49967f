"""Pages of data sets: what they hold, before anything is trained on them."""
