"""What runs inside a workload: agents. Imports the model and msgspec, nothing else of Lamplighter."""

from lamplighter.runtime.agents.agent import Agent, Message
from lamplighter.runtime.agents.client import AgentClient
from lamplighter.runtime.agents.pool.pool import Pool
from lamplighter.runtime.agents.runtime import Runtime
from lamplighter.runtime.agents.turn import Turn

__all__ = ["Agent", "AgentClient", "Message", "Pool", "Runtime", "Turn"]
