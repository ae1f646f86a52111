"""Which host has which shard: every host works out the same from who lives, and nobody needs to be asked.

Rendezvous hashing [Thaler and Ravishankar, 1998] with equal shares: the pair of shard and host that has the
highest score goes first, as long as the host has room. A host that comes or goes so moves little more than
its own share, and no two hosts differ by more than one shard.
"""

from collections.abc import Collection
from hashlib import blake2b


def placed(shards: int, hosts: Collection[str]) -> dict[str, tuple[int, ...]]:
    """Deal shards out to hosts.

    Args:
        shards: how many there are.
        hosts: names of those that may have some; in any order.

    Returns:
        The shards of each host, ascending; nothing without hosts.
    """
    if not hosts:
        return {}
    share, more = divmod(shards, len(hosts))
    dealt: dict[str, list[int]] = {host: [] for host in hosts}
    open_shards = set(range(shards))
    pairs = [(_score(shard, host), shard, host) for host in dealt for shard in range(shards)]
    pairs.sort(reverse=True)
    for room in (share, share + 1) if more else (share,):
        for _, shard, host in pairs:
            if shard in open_shards and len(dealt[host]) < room:
                dealt[host].append(shard)
                open_shards.discard(shard)
    return {host: tuple(sorted(found)) for host, found in dealt.items()}


def _score(shard: int, host: str) -> bytes:
    return blake2b(f"{shard}/{host}".encode(), digest_size=8).digest()
