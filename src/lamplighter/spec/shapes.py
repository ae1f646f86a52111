"""Shapes: what may stand at a place of a spec. Each reads, prints back, and describes itself as JSON Schema.

The spec's description (`fields`) is built of these, and parser, schema, reference and printer all come
from it: there is no second list of the fields.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from lamplighter.spec.faults import Faults, closest, quoted
from lamplighter.spec.tree import CoreType, Mapping, Node, Place, Scalar, Sequence
from lamplighter.spec.units import Misfit

Schema = dict[str, Any]
ITEMS_MAX: Final = 1000


class _Wrong:
    """What a shape returns when it could not read: a fault has been added."""


WRONG: Final = _Wrong()


class Shape:
    """One kind of value. `expected` names it in messages: "a duration such as 30s"."""

    expected = "a value"

    def read(self, node: Node, faults: Faults, name: str = "") -> Any:
        """Return the value of `node`, or WRONG after adding what is wrong. `name`: the key above it."""
        raise NotImplementedError

    def schema(self, *, partial: bool = False) -> Schema:
        """Return the JSON Schema (draft 2020-12). `partial`: as an override, with nothing required."""
        raise NotImplementedError

    def plain(self, value: Any) -> Any:
        """Return the value as lists, dicts, text and numbers, the way the spec writes it."""
        return value


class Written(Shape):
    """A scalar: text that `take` turns into a value and `show` turns back.

    Args:
        code: of the fault when the text is not what was expected.
        take: text to value; raises Misfit.
        schema: JSON Schema of what may be written.
        types: what YAML may make of it unquoted.
    """

    def __init__(
        self,
        code: str,
        expected: str,
        take: Callable[[str], Any],
        schema: Schema,
        *,
        show: Callable[[Any], Any] = lambda value: value,
        types: frozenset[CoreType] = frozenset({"str"}),
    ) -> None:
        self.code = code
        self.expected = expected
        self._take = take
        self._schema = schema
        self._show = show
        self._types = types

    def read(self, node: Node, faults: Faults, name: str = "") -> Any:  # noqa: ARG002 - a scalar has no name
        """Return what the text says."""
        if not isinstance(node, Scalar):
            return wrong_type(node, self.expected, faults)
        if node.type == "null":
            faults.add(
                "missing-value",
                node.label,
                f"expected {self.expected}",
                "write a value, or take the line out",
            )
            return WRONG
        if node.type not in self._types:
            return self._mistyped(node, faults)
        try:
            return self._take(node.text)
        except Misfit as misfit:
            message = misfit.message or f"expected {self.expected}"
            faults.add(misfit.code or self.code, node.place, message, misfit.mend)
            return WRONG

    def _mistyped(self, node: Scalar, faults: Faults) -> Any:
        """Say that quotes are wrong or missing, unless the text itself would not do either."""
        message, mend = f"expected {self.expected}", ""
        if "str" in self._types:
            message = f"YAML reads this as {_TYPE_NAMES[node.type]}; expected {self.expected}"
        try:
            self._take(node.text)
            mend = f'write "{node.text}", in quotes' if node.plain else f"write {node.text}, without quotes"
        except Misfit as misfit:
            mend = misfit.mend
        faults.add(self.code, node.place, message, mend)
        return WRONG

    def schema(self, *, partial: bool = False) -> Schema:  # noqa: ARG002 - the same in an override
        """Return the schema of the text."""
        return dict(self._schema)

    def plain(self, value: Any) -> Any:
        """Return the text of the value, or a number or a bool."""
        return self._show(value)


_TYPE_NAMES = {
    "null": "nothing",
    "bool": "true or false",
    "int": "a number",
    "float": "a number",
    "str": "text",
}


def wrong_type(node: Node, expected: str, faults: Faults) -> _Wrong:
    """Add that another kind of thing stands here."""
    found = (
        "a list"
        if isinstance(node, Sequence)
        else "a mapping"
        if isinstance(node, Mapping)
        else "a single value"
    )
    if isinstance(node, Scalar) and node.type == "null":
        faults.add("missing-value", node.label, f"expected {expected}", "write a value, or take the line out")
    else:
        faults.add("wrong-type", node.place, f"expected {expected}, found {found}")
    return WRONG


class Many(Shape):
    """A list of one shape. `least` items at least; `unique`: none twice."""

    def __init__(self, item: Shape, expected: str, *, least: int = 0, unique: bool = True) -> None:
        self.item = item
        self.expected = expected
        self._least = least
        self._unique = unique

    def read(self, node: Node, faults: Faults, name: str = "") -> Any:  # noqa: ARG002
        """Return a tuple; items that are wrong are left out of it."""
        if not isinstance(node, Sequence):
            return self._not_a_list(node, faults)
        values: list[Any] = []
        for item in node.items[:ITEMS_MAX]:
            value = self.item.read(item, faults)
            if self._unique and value is not WRONG and value in values:
                faults.add("duplicate-item", item.place, "this stands in the list already", "take one out")
            elif value is not WRONG:
                values.append(value)
        if len(node.items) > ITEMS_MAX:
            faults.add("too-large", node.label, f"more than {ITEMS_MAX} items")
        if len(node.items) < self._least:
            faults.add("missing-value", node.label, f"expected at least {self._least} of {self.expected}")
            return WRONG
        return tuple(values)

    def _not_a_list(self, node: Node, faults: Faults) -> Any:
        if isinstance(node, Scalar) and node.type != "null":
            faults.add("wrong-type", node.place, f"expected {self.expected}", f"write [{quoted(node.text)}]")
            return WRONG
        return wrong_type(node, self.expected, faults)

    def schema(self, *, partial: bool = False) -> Schema:  # noqa: ARG002 - a list is replaced whole
        """Return the schema of the list."""
        schema: Schema = {"type": "array", "items": self.item.schema(), "maxItems": ITEMS_MAX}
        if self._least:
            schema["minItems"] = self._least
        return {**schema, "uniqueItems": True} if self._unique else schema

    def plain(self, value: Any) -> Any:
        """Return the items as a list."""
        return [self.item.plain(each) for each in value]


class Several(Shape):
    """One scalar, or a list of them: `agent: a:B` is `agent: [a:B]`."""

    def __init__(self, item: Written, expected: str) -> None:
        self.item = item
        self.expected = expected
        self._many = Many(item, expected, least=1)

    def read(self, node: Node, faults: Faults, name: str = "") -> Any:
        """Return a tuple, also of one."""
        if not isinstance(node, Scalar):
            return self._many.read(node, faults, name)
        value = self.item.read(node, faults, name)
        return value if value is WRONG else (value,)

    def schema(self, *, partial: bool = False) -> Schema:
        """Return the schema of either form."""
        return {"anyOf": [self.item.schema(partial=partial), self._many.schema()]}

    def plain(self, value: Any) -> Any:
        """Return one as itself, more as a list."""
        return self.item.plain(value[0]) if len(value) == 1 else self._many.plain(value)


class Named(Shape):
    """A mapping from names to one shape. `key` is the shape of the names, `most` how many there may be."""

    def __init__(self, key: Written, item: Shape, expected: str, *, most: int = ITEMS_MAX) -> None:
        self.key = key
        self.item = item
        self.expected = expected
        self._most = most

    def read(self, node: Node, faults: Faults, name: str = "") -> Any:  # noqa: ARG002
        """Return a dict; entries that are wrong are left out of it."""
        if not isinstance(node, Mapping):
            return wrong_type(node, self.expected, faults)
        if len(node.entries) > self._most:
            faults.add("too-large", node.label, f"more than {self._most} of {self.expected}")
            return WRONG
        values: dict[str, Any] = {}
        for key, (place, below) in node.entries.items():
            taken = self.key.read(Scalar(key, place, plain=False), faults)
            value = self.item.read(below, faults, name=key)
            if taken is not WRONG and value is not WRONG:
                values[key] = value
        return values

    def schema(self, *, partial: bool = False) -> Schema:
        """Return the schema of the mapping."""
        item = self.item.schema(partial=partial)
        return {
            "type": "object",
            "propertyNames": self.key.schema(),
            "additionalProperties": nullable(item) if partial else item,
            "maxProperties": self._most,
        }

    def plain(self, value: Any) -> Any:
        """Return the entries as a dict."""
        return {name: self.item.plain(each) for name, each in value.items()}


class Field:
    """One key of a record.

    Args:
        key: as the spec writes it.
        doc: one or two sentences, for editors and for the reference.
        attr: the attribute of the value that it fills, if it is not the key itself.
        default: how the reference shows what holds when the key is left out.
    """

    __slots__ = ("attr", "default", "doc", "key", "required", "shape")

    def __init__(
        self, key: str, shape: Shape, doc: str, *, attr: str = "", required: bool = False, default: str = ""
    ) -> None:
        self.key = key
        self.shape = shape
        self.doc = doc
        self.attr = attr or key
        self.required = required
        self.default = default


class Record(Shape):
    """A mapping with known keys, which makes one value of the model.

    Args:
        build: the type of the value; what a spec leaves out keeps that type's default.
        fields: the keys.
        one_of: keys of which exactly one must be there.
    """

    def __init__(
        self,
        build: type[msgspec.Struct],
        expected: str,
        fields: Iterable[Field],
        *,
        one_of: tuple[str, ...] = (),
    ) -> None:
        self.build = build
        self.expected = expected
        self.fields = {each.key: each for each in fields}
        self.one_of = one_of
        self._named = "name" in build.__struct_fields__ and "name" not in {
            f.attr for f in self.fields.values()
        }

    def read(self, node: Node, faults: Faults, name: str = "") -> Any:
        """Return the value; what is wrong in an optional key leaves that key's default."""
        if not isinstance(node, Mapping):
            return wrong_type(node, self.expected, faults)
        values: dict[str, Any] = {"name": name} if self._named else {}
        broken = False
        for key, (place, below) in node.entries.items():
            field = self.fields.get(key)
            if field is None:
                self._unknown(key, place, faults)
            elif (value := field.shape.read(below, faults, name=key)) is not WRONG:
                values[field.attr] = value
            else:
                broken |= field.required or key in self.one_of
        if self._lacking(node, faults) or broken:
            return WRONG
        return self.finish(values, node, faults)

    def finish(self, values: dict[str, Any], node: Mapping, faults: Faults) -> Any:  # noqa: ARG002 - for heirs
        """Make the value of what was read; heirs check and complete it."""
        return self.build(**values)

    def _unknown(self, key: str, place: Place, faults: Faults) -> None:
        if faults.full:
            return faults.add("unknown-key", place, "")
        near = closest(key, self.fields)
        mend = f'did you mean "{near}"?' if near else f"known here: {', '.join(self.fields)}"
        return faults.add("unknown-key", place, f"{self.expected} has no key {quoted(key)}", mend)

    def _lacking(self, node: Mapping, faults: Faults) -> bool:
        """Add a fault for each required key that is not there, or for too many ways to run."""
        lacking = [
            each.key for each in self.fields.values() if each.required and each.key not in node.entries
        ]
        for key in lacking:
            faults.add(
                "missing-key", node.label, f'{self.expected} needs "{key}"', f"add {key}: {self.sample(key)}"
            )
        given = [key for key in self.one_of if key in node.entries]
        if self.one_of and not given:
            choice = ", ".join(self.one_of)
            faults.add(
                "no-way-to-run", node.label, f"{self.expected} needs one of {choice}", "add one of them"
            )
        for key in given[1:]:
            message = (
                f'"{given[0]}" already says how this is started; only one of {", ".join(self.one_of)} can'
            )
            faults.add("two-ways-to-run", node.entries[key].key, message, f"take {given[0]} or {key} out")
        return bool(lacking) or (bool(self.one_of) and len(given) != 1)

    def sample(self, key: str) -> str:
        """Return what a mend shows in the place of the value."""
        return f"<{self.fields[key].shape.expected}>"

    def schema(self, *, partial: bool = False) -> Schema:
        """Return the schema of the mapping."""
        properties = {key: self._property(each, partial=partial) for key, each in self.fields.items()}
        schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
        required = [each.key for each in self.fields.values() if each.required]
        if required and not partial:
            schema["required"] = required
        if self.one_of and not partial:
            schema["oneOf"] = [{"required": [key]} for key in self.one_of]
        return schema

    def _property(self, field: Field, *, partial: bool) -> Schema:
        schema = field.shape.schema(partial=partial)
        doc = f"{field.doc} Default: {field.default}." if field.default and not partial else field.doc
        return {"description": doc, **(nullable(schema) if partial else schema)}

    def plain(self, value: Any) -> Any:
        """Return the keys whose values are not the defaults."""
        found: dict[str, Any] = {}
        for field in self.fields.values():
            each = getattr(value, field.attr)
            if field.required or each != self._default(field.attr):
                found[field.key] = field.shape.plain(each)
        return {key: each for key, each in found.items() if each is not None}

    def _default(self, attr: str) -> Any:
        known = next(each for each in msgspec.structs.fields(self.build) if each.name == attr)
        return known.default if known.default_factory is msgspec.NODEFAULT else known.default_factory()


def nullable(schema: Schema) -> Schema:
    """Return the schema with null allowed, which in an override takes the key away."""
    return {"anyOf": [schema, {"type": "null"}]}


class Short(Shape):
    """A record that can also be written as one scalar: `replicas: 3`.

    Args:
        expand: makes the record's value of the scalar's.
        collapse: makes the scalar's value of the record's, or None where only the record says it.
    """

    def __init__(
        self, record: Record, short: Written, expand: Callable[[Any], Any], collapse: Callable[[Any], Any]
    ) -> None:
        self.record = record
        self.short = short
        self.expected = f"{short.expected} or {record.expected}"
        self._expand = expand
        self._collapse = collapse

    def read(self, node: Node, faults: Faults, name: str = "") -> Any:
        """Read whichever form is written."""
        if not isinstance(node, Scalar):
            return self.record.read(node, faults, name)
        value = self.short.read(node, faults)
        return value if value is WRONG else self._expand(value)

    def schema(self, *, partial: bool = False) -> Schema:
        """Return the schema of either form."""
        return {"anyOf": [self.record.schema(partial=partial), self.short.schema()]}

    def plain(self, value: Any) -> Any:
        """Return the short form where it says all."""
        short = self._collapse(value)
        return self.record.plain(value) if short is None else self.short.plain(short)
