"""Models over data sets and seeds: ranks where there are data sets enough, profiles where not, and what they cost."""
