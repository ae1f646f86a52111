"""Ways between brokers and agents: NATS JetStream, Kafka and RabbitMQ.

    stream ─▶ reader ─▶ session ─▶ hosts      exactly once: hosts know by its number what they have
    agents ─▶ outlet ─▶ broker                at least once, under a name that stays the same

A broker's message is acknowledged to it once it is durable here. Nothing of a broker's client is imported
unless its module is.
"""

from lamplighter.runtime.brokers.arrival import Arrival, BrokerError, Route
from lamplighter.runtime.brokers.outlet import Outlet, Publish, outlet, way_out
from lamplighter.runtime.brokers.session import Session

__all__ = ["Arrival", "BrokerError", "Outlet", "Publish", "Route", "Session", "outlet", "way_out"]
