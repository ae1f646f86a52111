"""Adapters: stores, clocks and secrets of this machine, behind the ports."""
