"""The local target: one machine, one supervisor, one gateway."""
