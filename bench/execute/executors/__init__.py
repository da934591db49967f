"""Executors on this machine: `local`, one process a trial; `inline`, this very process, for a debugger."""
