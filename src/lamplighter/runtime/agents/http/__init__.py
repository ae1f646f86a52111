"""Agents over HTTP: the ASGI app, and the server that a pool's host runs it in."""

from lamplighter.runtime.agents.http.ingress import Ingress, Limits
from lamplighter.runtime.agents.http.serving import serve

__all__ = ["Ingress", "Limits", "serve"]
