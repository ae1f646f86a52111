"""`python -m benchmarks.agents.peers`: what the peers take for a message, without ours beside it."""

import argparse
import sys
import textwrap
from pathlib import Path

from benchmarks.agents.peers.catalogue import PEERS
from benchmarks.agents.peers.comparison import compare
from benchmarks.report import Options, as_document, table, write_json

WIDTH = 100
INTERRUPTED = 130


def main() -> int:
    """Measure the peers asked for; 1 if one could not be had or failed, 2 if unknown, 130 if interrupted."""
    asked = _parser().parse_args()
    names = [each for each in asked.only.split(",") if each] or list(PEERS)
    if unknown := [each for each in names if each not in PEERS]:
        print(f"peers: {', '.join(unknown)} is none of them; known: {', '.join(PEERS)}", file=sys.stderr)
        return 2
    peers = [PEERS[each] for each in names]
    if asked.list:
        for each in peers:
            print(f"{each.name}: {each.what}")
            for title, text in (("durable", each.durable), ("buys   ", each.buys), ("lacks  ", each.lacks)):
                print(*_wrapped(title, text), sep="\n")
        return 0
    if asked.renew:
        for each in peers:
            each.renew()
        return 0
    options = Options(quick=asked.quick, seed=asked.seed)
    figures = compare(options, None, peers, cache=asked.cache, scratch=asked.scratch)
    print(table(figures))
    if asked.json is not None:
        write_json(asked.json, as_document("agents.peers", figures, options))
    return int(any(figures.parts[f"peer_{each.name}"]["absent"] for each in peers))


def _wrapped(title: str, text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=f"  {title}  ", subsequent_indent=" " * (len(title) + 4))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.agents.peers", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of a quarter of the messages")
    parser.add_argument("--only", default="", metavar="PEER[,PEER]", help=f"of {', '.join(PEERS)}")
    parser.add_argument("--list", action="store_true", help="say what each peer is, buys and lacks")
    parser.add_argument("--renew", action="store_true", help="pin the newest versions instead of measuring")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="which agents are sent to (1)")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="where the peers are installed")
    parser.add_argument(
        "--scratch", type=Path, metavar="DIR", help="where they write; the disk that is synced"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    return parser


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:  # what was started has been stopped on the way here
        sys.exit(INTERRUPTED)
