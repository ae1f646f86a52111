"""Pools of agents on a Ray cluster: an actor is a host of many shards, never one agent.

Needs the extra `ray`. Its modules:
    tunnel      bytes of unix sockets' connections through calls; knows nothing of Ray
    hosting     the actor: a host of the pool, and the far end of tunnels to its shards
    cluster     `RayPool`: starts the actors, and lets a program talk to the agents
"""
