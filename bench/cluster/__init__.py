"""`bench run --executor ray`: many jobs at once on the nodes of a Ray cluster. docs/clusters.md says how to use it."""
