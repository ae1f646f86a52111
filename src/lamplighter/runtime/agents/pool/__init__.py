"""Pools: the agents of one folder, dealt into shards that move between the processes that host them.

Its modules:
    layout      what is where in a pool's folder
    presence    which hosts live, by locks that the kernel lets go
    placement   which host is to have which shard: pure
    pool        a host: opens what is to be its own, closes what is not any more
    loading     the agents' classes, by the names that a command line gives
"""
