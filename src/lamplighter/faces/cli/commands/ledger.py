"""`lamp ledger`: what was asked, decided, done and verified; `--verify` checks that nobody changed it."""

import argparse

from lamplighter.adapters.ledger import Verification
from lamplighter.app.reading import entries_from_stores, verification
from lamplighter.faces.cli import chosen
from lamplighter.faces.cli.render.ledger import entry_text
from lamplighter.faces.cli.render.output import print_json, print_json_line
from lamplighter.faces.cli.render.paint import paint

DAMAGED = 1


def run(asked: argparse.Namespace) -> int:
    """Show or verify the ledger; 1 if it is damaged."""
    _, state = chosen.system(asked)
    if asked.verify:
        found = verification(state)
        if asked.json:
            print_json(found)
        else:
            print(_summary(found))
        return DAMAGED if found.damage else 0
    entries = entries_from_stores(state, since=asked.since)
    for entry in entries[-asked.last :] if asked.last else entries:
        if asked.json:
            print_json_line(entry)
        else:
            print(entry_text(entry))
    return 0


def _summary(found: Verification) -> str:
    if found.damage is not None:
        return paint(f"entry {found.damage.number}  {found.damage.kind}: {found.damage.message}", "red")
    return f"{found.entries} entries, whole; anchored up to entry {found.anchored}; head {found.head[:16]}"
