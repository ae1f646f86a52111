"""The supervisor: parent of one system's replicas and of its gateway. It knows nothing of why.

A process of its own, in a session of its own, so that it outlives the maintainer; small, idle unless
something happens, and replaceable: a successor adopts what it finds.
"""
