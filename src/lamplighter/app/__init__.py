"""Use cases and wiring: the only place that picks implementations."""
