"""The activator: where requests wait while no replica of their service can serve. See `waiting`."""

from .waiting import HELD_MAX, Activator, serving

__all__ = ["HELD_MAX", "Activator", "serving"]
