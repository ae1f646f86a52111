"""Writes the schema and the reference anew: `python -m lamplighter.spec docs/reference`."""

import json
import sys
from pathlib import Path

from lamplighter.spec.reference import reference
from lamplighter.spec.schema import schema


def written() -> dict[str, str]:
    """Return what each generated file holds, by its name."""
    return {"lamp.schema.json": json.dumps(schema(), indent=1) + "\n", "spec.md": reference()}


def main(folder: Path) -> None:
    """Write the generated files into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in written().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
