"""Print, of whichever version runs this, its stores' schema numbers and the form of the values in them."""

import hashlib
import json
import sys

import msgspec

from lamplighter.adapters import ledger, recordings
from lamplighter.model.history import History
from lamplighter.model.passes import Inputs, Result


def forms() -> dict[str, object]:
    """Return schema numbers, and digests of what the stored values may be: names, fields, types, defaults."""
    shapes = {kind.__name__: _digest(kind) for kind in (Inputs, Result, History)}
    return {"recording": len(recordings.SCHEMA), "ledger": len(ledger.SCHEMA), "values": shapes}


def _digest(kind: type) -> str:
    """Descriptions are left out: they change nothing that is stored."""
    shape = json.dumps(_undescribed(msgspec.json.schema(kind)), sort_keys=True)
    return hashlib.blake2b(shape.encode(), digest_size=8).hexdigest()


def _undescribed(shape: object) -> object:
    if isinstance(shape, dict):
        return {name: _undescribed(each) for name, each in shape.items() if name != "description"}
    return [_undescribed(each) for each in shape] if isinstance(shape, list) else shape


if __name__ == "__main__":
    sys.stdout.write(json.dumps(forms(), indent=1) + "\n")
