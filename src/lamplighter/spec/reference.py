"""The written reference of the spec, made from the one description of the fields."""

from collections.abc import Iterator

from lamplighter.spec.codes import codes
from lamplighter.spec.fields import SYSTEM
from lamplighter.spec.shapes import Field, Many, Named, Record, Shape, Short
from lamplighter.spec.sited import AT_DOC, Sited

_HEAD = """\
# The spec: lamp.yaml

This page is made from the same description as the parser and
[lamp.schema.json](lamp.schema.json); `python -m lamplighter.spec spec.md` prints it anew.

Small specs stay small: only `system` and what to run are needed.

```yaml
system: library
services:
  search:
    app: library.search:app
    route: /
```

## How it is written

- **Durations** are a number and a unit: `300ms`, `30s`, `2m`, `4h`, `30d`, `2w`. **Sizes**: `512Mi`, `1Gi`
  (1024 each), `1G` (1000 each). **Shares** have a percent sign: `25%`. **Money** has a currency and a
  period: `500 USD/month`. Bare numbers are refused where they could mean two things.
- It is YAML 1.2: `on`, `yes`, `no` and `12:30` are text. A key stands once. Tags are refused; anchors,
  aliases and the merge key `<<` work, within bounds.
- Nothing is expanded: no environment variables, no templates. A spec means the same on every machine.
- `at` of a workload says what is different at a site. It is laid on the workload key by key; a list is
  replaced whole, and `null` takes a key back to its default. An overlay for `lamp replay --policy` follows
  the same rules, from the root on.
- In the paths below `*` stands for a name that you choose, `[]` for an item of a list.
- Every fault of a spec is reported at once, each with a code, its place, and how to mend it.
  `lamp help CODE` says more.
"""


def reference() -> str:
    """Return the reference as Markdown: every key, then every code."""
    lines = [_HEAD, "## Keys", *_table(_rows(SYSTEM, ""))]
    for key, named in _named(SYSTEM):
        lines += [
            "",
            f"### {key}.*",
            *(["", *note] if (note := _note(named)) else []),
            *_table(_rows(named, "")),
        ]
    lines += ["", "## Codes", "", *_codes()]
    return "\n".join(lines) + "\n"


def _named(record: Record) -> Iterator[tuple[str, Record]]:
    for key, field in record.fields.items():
        if isinstance(field.shape, Named) and isinstance(field.shape.item, Record):
            yield key, field.shape.item


def _note(record: Record) -> list[str]:
    ways = ", ".join(f"`{key}`" for key in record.one_of)
    return [f"Exactly one of {ways} must be there."] if ways else []


def _rows(record: Record, above: str) -> Iterator[tuple[str, Field]]:
    for key, field in record.fields.items():
        yield f"{above}{key}", field
        inner, mark = _inner(field.shape)
        if inner is not None and not (record is SYSTEM and isinstance(field.shape, Named)):
            yield from _rows(inner, f"{above}{key}{mark}.")
    if isinstance(record, Sited):
        yield f"{above}at", Field("at", Named(_ANY, record, "overrides by site"), AT_DOC)


def _inner(shape: Shape) -> tuple[Record | None, str]:
    if isinstance(shape, Short):
        return shape.record, ""
    if isinstance(shape, (Many, Named)):
        inner, _ = _inner(shape.item)
        return inner, "[]" if isinstance(shape, Many) else ".*"
    return (shape, "") if isinstance(shape, Record) else (None, "")


_ANY = next(each.shape.key for each in SYSTEM.fields.values() if isinstance(each.shape, Named))


def _table(rows: Iterator[tuple[str, Field]]) -> list[str]:
    lines = ["", "| key | takes | default | meaning |", "|---|---|---|---|"]
    for path, field in rows:
        default = "required" if field.required else f"`{field.default}`" if field.default else "none"
        takes = field.shape.expected.replace("|", "\\|")
        lines.append(f"| `{path}` | {takes} | {default} | {field.doc} |")
    return lines


def _codes() -> list[str]:
    known = codes().items()
    faults = [f"- **{code}** {each.title}. {each.text}" for code, each in known if not each.warning]
    warnings = [f"- **{code}** {each.title}. {each.text}" for code, each in known if each.warning]
    return ["### Faults", "", *faults, "", "### Warnings", "", *warnings]
