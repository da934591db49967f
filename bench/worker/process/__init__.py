"""The processes of trials: the template that they are forked from, and what each does from first to last."""
