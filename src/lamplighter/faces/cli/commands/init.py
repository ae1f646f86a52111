"""`lamp init`: look at the prototype here, and write a first lamp.yaml that says why."""

import argparse
import sys
from pathlib import Path

from lamplighter.app.init import init
from lamplighter.faces.cli.render.faults import fault_text
from lamplighter.faces.cli.render.output import print_json
from lamplighter.faces.cli.render.paint import paint


def run(asked: argparse.Namespace) -> int:
    """Write the first spec and say what it was made from."""
    begun = init(Path(asked.folder), force=asked.force)
    if asked.json:
        print_json(begun)
        return 0
    for each in begun.saw:
        print(paint(f"  saw  {each}", "dim"))
    print(begun.text)
    for fault in begun.warnings:
        print(fault_text(fault, warning=True), file=sys.stderr)
    print(paint(f"wrote {begun.path}", "bold"))
    print("next: lamp plan, then lamp up" if begun.found else "next: fill in what to run, then lamp check")
    return 0
