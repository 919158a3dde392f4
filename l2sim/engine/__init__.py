"""The engine: a clock in whole nanoseconds, one order of events, named random streams, servers with queues."""

from l2sim.engine.environment import NS_PER_MS, NS_PER_S, NS_PER_US, Call, Environment, ns
from l2sim.engine.server import Server
from l2sim.engine.streams import Stream, Streams

__all__ = ["NS_PER_MS", "NS_PER_S", "NS_PER_US", "Call", "Environment", "Server", "Stream", "Streams", "ns"]
