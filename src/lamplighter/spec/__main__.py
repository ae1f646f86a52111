"""Prints the schema or the reference anew, to be kept in docs/reference.

`python -m lamplighter.spec lamp.schema.json` or `python -m lamplighter.spec spec.md`.
"""

import json
import sys

from lamplighter.spec.reference import reference
from lamplighter.spec.schema import schema


def written() -> dict[str, str]:
    """Return what each generated file holds, by its name."""
    return {"lamp.schema.json": json.dumps(schema(), indent=1) + "\n", "spec.md": reference()}


if __name__ == "__main__":
    known = written()
    if len(sys.argv) != 2 or sys.argv[1] not in known:  # noqa: PLR2004 - the program and one name
        sys.exit(f"name one of: {', '.join(known)}")
    sys.stdout.write(known[sys.argv[1]])
