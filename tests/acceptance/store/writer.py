"""A process that writes to a real store for ever, and prints each frame's number once it is durable.

Called as `python writer.py FOLDER`. The n-th frame gives agent `reader/<n % 50>` the state `<n>`.
"""

import os
import sys
from pathlib import Path

from lamplighter.runtime.agents.store import Folder, Limits, Store

SMALL = Limits(segment_bytes=20_000, tail_records=100, segments_min=2)
AGENTS = 50


def main(folder: str) -> None:
    """Open, go on where the journal ended, and write."""
    store = Store.open(Folder(Path(folder)), host=0, partitions=2, holder=str(os.getpid()), limits=SMALL)
    while True:
        number = store.journal.end.sequence + 1
        row = (f"reader/{number % AGENTS}", 1, 0, b"%d" % number * 40)
        store.journal.write_states(store.partitions[number % 2], [row])
        sealed = store.seal(1.0)
        assert sealed is not None
        chore = store.chore()
        store.journal.commit(sealed)
        store.journal.synced(sealed)
        os.write(1, b"%d\n" % number)
        if chore is not None:
            chore.run()
            store.finish(chore)


if __name__ == "__main__":
    main(sys.argv[1])
