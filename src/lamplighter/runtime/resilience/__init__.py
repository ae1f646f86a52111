"""Calls that survive what they call: one policy for deadline, retries, breaker, bulkhead, fallback and hedge.

deadline      the time left, in a context variable and in headers
retry, breaker, slots, latencies, concurrency, judging   what decides; pure
dependency    all that is known of one dependency; awaiting, blocking   calls through it
policy        the decorator;  fallback   what is answered when nothing else could
shedding      a server's own admission (ASGI);  http   the same for clients of httpx
"""

from lamplighter.runtime.resilience.deadline import carry, deadline, received, remaining
from lamplighter.runtime.resilience.dependency import Dependency
from lamplighter.runtime.resilience.errors import (
    CallError,
    CircuitOpenError,
    DeadlineExceededError,
    PolicyError,
    RefusedError,
    TooManyCallsError,
)
from lamplighter.runtime.resilience.fallback import cached, refusal
from lamplighter.runtime.resilience.policy import Policy, policy, snapshot
from lamplighter.runtime.resilience.settings import BreakerSettings, Settings
from lamplighter.runtime.resilience.shedding import Shedding
from lamplighter.runtime.resilience.slots import Priority

__all__ = [
    "BreakerSettings",
    "CallError",
    "CircuitOpenError",
    "DeadlineExceededError",
    "Dependency",
    "Policy",
    "PolicyError",
    "Priority",
    "RefusedError",
    "Settings",
    "Shedding",
    "TooManyCallsError",
    "cached",
    "carry",
    "deadline",
    "policy",
    "received",
    "refusal",
    "remaining",
    "snapshot",
]
