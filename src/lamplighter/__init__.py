"""Lamplighter takes a research prototype and keeps it running in production."""

__version__ = "0.5.0"
