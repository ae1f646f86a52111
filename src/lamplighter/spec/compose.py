"""From text to a tree with places: YAML events in, nodes out, within bounds.

Only events are taken from the YAML library. Nothing is resolved by YAML 1.1's rules, no tag makes an
object, and depth, size and aliases are bounded before they cost anything.
"""

import re
from typing import Any

import yaml

from lamplighter.model.errors import Fault, SpecError
from lamplighter.spec.faults import Faults, blot, closest, quoted
from lamplighter.spec.tree import Entry, Mapping, Node, Place, Scalar, Sequence

BYTES_MAX = 1_048_576
DEPTH_MAX = 40
WEIGHT_MAX = 20_000
"""Nodes of a spec with every alias followed; the largest real spec we know has about 2,000."""
TEXT_MAX = 32_768
EXCERPT_MAX = 240

try:
    from yaml._yaml import CParser as _Parser
except ImportError:  # a PyYAML built without libyaml: slower, the same events
    from yaml.parser import Parser as _YamlParser
    from yaml.reader import Reader as _YamlReader
    from yaml.scanner import Scanner as _YamlScanner

    class _Parser(_YamlReader, _YamlScanner, _YamlParser):  # type: ignore[no-redef]
        """The same parser in Python."""

        def __init__(self, text: str) -> None:
            _YamlReader.__init__(self, text)
            _YamlScanner.__init__(self)
            _YamlParser.__init__(self)


def decode(content: bytes, file: str) -> str:
    """Return the text of a spec file. Raises SpecError with a place if it is not UTF-8."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8-sig", "replace")
        line = before.count("\n") + 1
        column = len(before) - before.rfind("\n")
        message = f"byte 0x{content[error.start]:02x} is not UTF-8 text"
        raise SpecError((_fault("not-utf8", message, _mends["not-utf8"], (file, line, column)),)) from error


def compose(text: str, file: str) -> Node:
    """Return the tree of a spec.

    Args:
        text: the whole file.
        file: its name, for places.

    Raises:
        SpecError: the text is not one well-formed YAML document within the bounds, or a key stands
            twice in a mapping. Never worth a retry.
    """
    text = text.removeprefix("\ufeff")
    _check_text(text, file)
    try:
        return _Composer(text, file).whole()
    except SpecError:
        quoted_text = re.sub(_BARE_PATH, r'\1"\2"', text)
        if quoted_text == text:
            raise
    return _Composer(text, file, quoted_text).whole()


# In braces YAML ends a plain text at a bracket, so that `json: $.answers[0]` cannot be read there. It is
# too natural to refuse: what cannot be read is tried once more with such paths in quotes.
_BARE_PATH = r"(\bjson: +)(\$[\w.-]*\[[\w.\[\]'-]*)(?= *[,}#\n])"


_mends = {
    "not-utf8": "save the file as UTF-8",
    "not-text": "take the character out, or write it as an escape in double quotes",
    "too-large": "a spec holds what to run, not data; move data to files of its own",
}


def _fault(code: str, message: str, mend: str, where: tuple[str, int, int], excerpt: str = "") -> Fault:
    file, line, column = where
    return Fault(
        code=code, message=message, mend=mend, file=file, line=line, column=column, excerpt=blot(excerpt)
    )


def _check_text(text: str, file: str) -> None:
    """Refuse text that is too long, and characters that no YAML may hold (YAML 1.2.2, section 5.1)."""
    if len(text) > BYTES_MAX:
        message = f"a spec may have {BYTES_MAX // 1024} KiB; this one is larger"
        raise SpecError((_fault("too-large", message, _mends["too-large"], (file, 1, 1)),))
    bad = yaml.reader.Reader.NON_PRINTABLE.search(text)
    if bad:
        start = text.rfind("\n", 0, bad.start()) + 1
        where = (file, text.count("\n", 0, bad.start()) + 1, bad.start() - start + 1)
        message = f"the character U+{ord(bad[0]):04X} may not stand in a spec"
        raise SpecError((_fault("not-text", message, _mends["not-text"], where),))


class _Composer:
    """One pass over the events of one document."""

    def __init__(self, text: str, file: str, readable: str = "") -> None:
        self.faults = Faults()
        self._parser: Any = _Parser(readable or text)
        self._quotes = _added_quotes(text, readable) if readable else {}
        self._file = file
        self._lines = text.splitlines() or [""]
        self._anchors: dict[str, Node | None] = {}
        self._weight = 0

    def whole(self) -> Node:
        """Return the tree. Raises SpecError with all that was found."""
        node = self.document()
        self.faults.raise_any()
        return node

    def document(self) -> Node:
        """Return the root of the one document there must be."""
        self._next()  # the stream's start
        if isinstance(self._next(), yaml.StreamEndEvent):
            raise self._stop("empty-spec", self._place_at(1, 1, 1), "the file is empty", "run lamp init")
        root = self._node(0)
        self._next()  # the document's end
        after = self._next()
        if not isinstance(after, yaml.StreamEndEvent):
            mend = "keep one system in one file, and take out the line with ---"
            raise self._stop("several-documents", self._place(after), "a second document starts here", mend)
        return root

    def _next(self) -> Any:
        try:
            return self._parser.get_event()
        except yaml.MarkedYAMLError as error:
            raise self._syntax(error) from error
        except (yaml.YAMLError, UnicodeError, ValueError) as error:
            place = self._place_at(1, 1, 1)
            raise self._stop("yaml-syntax", place, f"this is not YAML: {error}") from error

    def _node(self, depth: int) -> Node:
        return self._of(self._next(), depth)

    def _of(self, event: Any, depth: int) -> Node:
        """Return the node that starts with `event`."""
        place = self._place(event)
        if depth > DEPTH_MAX:
            message = f"nested more than {DEPTH_MAX} deep"
            raise self._stop("too-deep", place, message, "a spec needs eight levels at most")
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, place)
        if event.tag is not None and event.tag != "!":
            self.faults.add("yaml-tag", place, "a spec has no tags (!...)", "take the tag out")
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        node = self._fresh(event, place, depth)
        self._count(node.weight if isinstance(node, Scalar) else 1, place)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _fresh(self, event: Any, place: Place, depth: int) -> Node:
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, place)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(place, depth)
        return self._mapping(place, depth)

    def _scalar(self, event: Any, place: Place) -> Scalar:
        text = event.value
        if len(text) > TEXT_MAX:
            message = f"text of {len(text)} characters; {TEXT_MAX} is the most"
            self.faults.add("too-large", place, message, _mends["too-large"])
            text = text[:64]
        return Scalar(text, place, plain=event.style is None or event.style == "")

    def _sequence(self, place: Place, depth: int) -> Sequence:
        items: list[Node] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            items.append(self._of(event, depth + 1))
        sequence = Sequence(items, place)
        sequence.weight += sum(each.weight for each in items)
        return sequence

    def _mapping(self, place: Place, depth: int) -> Mapping:
        entries: dict[str, Entry] = {}
        merged: list[Mapping] = []
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key = self._of(event, depth + 1)
            value = self._node(depth + 1)
            if not isinstance(key, Scalar):
                self.faults.add("yaml-key", key.place, "a key must be a plain word")
            elif key.plain and key.text == "<<":
                merged += self._merged(value)
            elif key.text in entries:
                first = entries[key.text].key.line
                message = "" if self.faults.full else f"{quoted(key.text)} stands on line {first} already"
                self.faults.add("duplicate-key", key.place, message, "keep one of the two")
            else:
                value.label = value.label if value.label is not value.place else key.place
                entries[key.text] = Entry(key.place, value)
        for each in merged:
            entries = {**each.entries, **entries}
        mapping = Mapping(entries, place)
        mapping.weight += sum(1 + each.node.weight for each in entries.values())
        return mapping

    def _merged(self, value: Node) -> list[Mapping]:
        """Return what a merge key (`<<: *name`) brings in; earlier ones win, as in YAML's own text."""
        found = value.items if isinstance(value, Sequence) else [value]
        for each in found:
            if not isinstance(each, Mapping):
                self.faults.add("bad-merge", each.place, "only a mapping can be merged in")
            else:
                self._count(each.weight, each.place)
        return [each for each in found if isinstance(each, Mapping)]

    def _alias(self, event: Any, place: Place) -> Node:
        name = event.anchor
        if name not in self._anchors:
            near = closest(name, self._anchors)
            mend = f"did you mean *{near}?" if near else f"mark the part that is meant with &{name}, above"
            self.faults.add("unknown-anchor", place, f"nothing above is marked &{name}", mend)
            return Scalar("", place, plain=False)
        node = self._anchors[name]
        if node is None:
            self.faults.add("recursive-alias", place, f"*{name} stands inside of what it means")
            return Scalar("", place, plain=False)
        self._count(node.weight, place)
        return node

    def _count(self, weight: int, place: Place) -> None:
        self._weight += weight
        if self._weight > WEIGHT_MAX:
            message = f"more than {WEIGHT_MAX} parts, aliases followed"
            raise self._stop("too-large", place, message, _mends["too-large"])

    def _place(self, event: Any) -> Place:
        start, end = event.start_mark, event.end_mark
        line = min(start.line, len(self._lines) - 1)
        column = self._column(start)
        rest = len(self._lines[line].rstrip()) - column
        width = self._column(end) - column if end.line == start.line else rest
        if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            width = min(width, rest) or rest
        return self._place_at(start.line + 1, column + 1, width)

    def _column(self, mark: Any) -> int:
        """Return the column in the user's own text, from 0."""
        added = self._quotes.get(mark.line, ())
        return int(mark.column) - sum(1 for each in added if each < mark.column)

    def _place_at(self, line: int, column: int, width: int) -> Place:
        excerpt = self._lines[line - 1][:EXCERPT_MAX] if line <= len(self._lines) else ""
        return Place(self._file, line, column, max(1, width), excerpt if column <= EXCERPT_MAX else "")

    def _stop(self, code: str, place: Place, message: str, mend: str = "") -> SpecError:
        """Return the error that ends the reading, with what was found until here."""
        self.faults.add(code, place, message, mend)
        return SpecError(self.faults.found())

    def _syntax(self, error: yaml.MarkedYAMLError) -> SpecError:
        """Translate the library's fault; most are indentation, a tab, or a quote that is missing."""
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, self._column(mark) + 1) if mark else (1, 1)
        if line > len(self._lines):
            line, column = len(self._lines), len(self._lines[-1]) + 1
        place = self._place_at(line, column, 1)
        opened = error.context_mark
        code, message, mend = _explain(error.problem or "", place, opened.line + 1 if opened else 0)
        return self._stop(code, place, message, mend)


def _added_quotes(text: str, readable: str) -> dict[int, list[int]]:
    """Return the columns, by line (both from 0), of the quotes that `readable` has and `text` has not."""
    added: dict[int, list[int]] = {}
    for number, (before, after) in enumerate(zip(text.splitlines(), readable.splitlines(), strict=True)):
        if before != after:
            found = [each.span(2) for each in re.finditer(_BARE_PATH, before + "\n")]
            ends = [side for start, end in found for side in (start, end)]
            added[number] = [side + index for index, side in enumerate(ends)]
    return added


def _explain(problem: str, place: Place, opened: int) -> tuple[str, str, str]:
    """Return code, message and mend for a fault of the YAML itself."""
    before = place.excerpt[: place.column]
    since = f" (it opens on line {opened})" if opened else ""
    if "\t" in before and not before.strip():
        return "yaml-tab", "a tab; YAML indents with spaces only", "put two spaces for each level"
    if "mapping values are not allowed" in problem:
        message = "a colon that starts a value where none can start"
        return "yaml-syntax", message, "indent by two spaces a level, or quote text that holds a colon"
    if "did not find expected key" in problem or "'-' indicator" in problem:
        message = f"this line does not fit the block that it stands in{since}"
        return "yaml-indent", message, "line it up with its neighbours; mind quotes and brackets before it"
    if "expected ',' or" in problem:
        return "yaml-syntax", f"a bracket or brace is not closed{since}", f"expected {problem[-10:].strip()}"
    if "unexpected end of stream" in problem:
        return "yaml-syntax", f"a quote is not closed{since}", "close it with the same quote"
    if "cannot start any token" in problem:
        message = f"{quoted(place.excerpt[place.column - 1 : place.column])} cannot start a value"
        return "yaml-syntax", message, "put the value in quotes"
    return "yaml-syntax", f"this is not YAML: {problem or 'unreadable'}", ""
