"""Agents: durable actors, millions to a machine."""
