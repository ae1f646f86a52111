"""`lamp check`: validate the spec; every fault with its place, cause and mend."""

import argparse

from lamplighter.faces.cli import chosen
from lamplighter.faces.cli.render.faults import fault_json, fault_text
from lamplighter.faces.cli.render.output import print_json


def run(asked: argparse.Namespace) -> int:
    """Check the spec. Faults are raised and shown by `main`."""
    found = chosen.project(asked)
    system = found.system
    if asked.json:
        warnings = [fault_json(each) for each in found.warnings]
        print_json({"system": system.name, "site": system.default_site, "warnings": warnings})
        return 0
    for each in found.warnings:
        print(fault_text(each, warning=True) + "\n")
    parts = {
        "service": len(system.services.keys() - system.agents.keys()),
        "agent pool": len(system.agents),
        "job": len(system.jobs),
        "queue": len(system.queues),
        "store": len(system.stores),
    }
    counted = [f"{count} {name}{'s' * (count > 1)}" for name, count in parts.items() if count]
    print(f"{found.file.name} is sound: {system.name}, {', '.join(counted) or 'nothing to run yet'}")
    return 0
