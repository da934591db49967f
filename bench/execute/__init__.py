"""Running it: plan what is not there, one isolated process a trial, store what became of it."""
