"""The worker side: what runs in a trial's process. Never imports pandas, matplotlib or the parent side."""
