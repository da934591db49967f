"""Devices: one file a kind. The only place that says torch.cuda or torch.mps."""
