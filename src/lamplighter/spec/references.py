"""Scalars that point at something: paths, modules, commands, images, folders, addresses."""

import re
import shlex

from lamplighter.spec.shapes import Written
from lamplighter.spec.units import Misfit
from lamplighter.spec.words import ANY, text


def _pattern(written: str) -> str:
    from warnings import catch_warnings, simplefilter  # noqa: PLC0415 - few specs have a pattern

    try:
        with catch_warnings():
            simplefilter("ignore")
            re.compile(written)
    except (re.error, RecursionError, OverflowError) as error:
        raise Misfit(
            "a regular expression of Python's re", message=f"no regular expression: {error}"
        ) from error
    return written


PATTERN = Written("bad-pattern", "a regular expression", _pattern, {"type": "string"})

_PATH_CHARACTERS = r"[A-Za-z0-9._~!$&'()*+,;=:@%-]"
_SEGMENTS = rf"/(?!\.\.?(?:/|$))(?:{_PATH_CHARACTERS}+(?:/(?!\.\.?(?:/|$|\?)){_PATH_CHARACTERS}+)*/?)?"


def _path_mend(written: str) -> str:
    if not written.startswith("/"):
        bare = re.sub(r"^https?://[^/]*/?", "", written)
        return (
            f'write "/{bare[:60]}"'
            if re.fullmatch(rf"(?:{_PATH_CHARACTERS}|[/?])+", bare)
            else "start with /"
        )
    return "a path without .., //, spaces or #"


ROUTE = text("bad-path", "a path such as /search", _SEGMENTS, _path_mend)
PATH = text("bad-path", "a path such as /healthz", rf"{_SEGMENTS}(?:\?[^\s#]*)?", _path_mend, most=2000)

_IDENTIFIER = r"[A-Za-z_][A-Za-z0-9_]*"
_DOTTED = rf"{_IDENTIFIER}(?:\.{_IDENTIFIER})*"


def _reference_mend(written: str) -> str:
    file = re.fullmatch(r"(?:\./)?([\w./-]+?)\.py(?::(\w+))?", written)
    if file:
        return f'write "{file[1].replace("/", ".")}:{file[2] or "app"}"'
    if re.fullmatch(_DOTTED, written):
        module, _, last = written.rpartition(".")
        return f'write "{module}:{last}"' if module else f'write "{written}:app"'
    return "module:name, as Python imports it from this folder"


APP = text(
    "bad-reference", "an ASGI app such as library.search:app", rf"{_DOTTED}:{_DOTTED}", _reference_mend
)
AGENT = text(
    "bad-reference",
    "an agent class such as library.swarm:Reader, or a module of them",
    rf"{_DOTTED}(?::{_DOTTED})?",
    _reference_mend,
)


def _command(written: str) -> str:
    try:
        words = shlex.split(written)
    except ValueError as error:
        raise Misfit("close the quote", message=f"this command cannot be split: {error}") from error
    if not words:
        raise Misfit("a program and its arguments", message="the command is empty")
    return written


COMMAND = Written(
    "bad-command",
    "a command such as python -m library.serve",
    _command,
    {"type": "string", "minLength": 1, "maxLength": 32_768},
)

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
IMAGE = text(
    "bad-image",
    "an image such as registry.example/search:1.4",
    rf"(?:[A-Za-z0-9.-]+(?::[0-9]{{1,5}})?/)?{_COMPONENT}(?:/{_COMPONENT})*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?",
    lambda _: "name:tag, in lower case",
)


def _folder(written: str) -> str:
    if written.startswith(("/", "~")) or ".." in written.split("/"):
        raise Misfit("a path below the folder of lamp.yaml", message="this leads out of the system's folder")
    if not written or "\n" in written or "\\" in written:
        raise Misfit("names separated by /")
    return written


FOLDER_SCHEMA = {"type": "string", "minLength": 1, "pattern": r"^[^/~\\\n][^\\\n]*$"}
FOLDER = Written("bad-folder", "a folder such as services/search", _folder, FOLDER_SCHEMA)
FILE = Written("bad-folder", "a file such as uv.lock", _folder, FOLDER_SCHEMA)

PYTHON_VERSION = Written(
    "bad-version",
    'a version of Python such as "3.12"',
    lambda written: _matching(written, r"3\.[0-9]{1,2}(?:\.[0-9]{1,2})?", '"3.12"'),
    {"type": ["string", "number"], "pattern": r"^3\.[0-9]{1,2}(\.[0-9]{1,2})?$"},
    types=ANY,
)


def _matching(written: str, pattern: str, mend: str) -> str:
    if not re.fullmatch(pattern, written):
        raise Misfit(mend)
    return written


def _host(written: str) -> str:
    from ipaddress import ip_address  # noqa: PLC0415 - most specs leave the address out

    if written != "localhost":
        try:
            ip_address(written)
        except ValueError:
            raise Misfit("127.0.0.1 for this machine only, 0.0.0.0 for every network") from None
    return written


HOST = Written(
    "bad-host", "an address to listen on such as 127.0.0.1", _host, {"type": "string", "minLength": 2}
)
KEY = text(
    "bad-value",
    "the name of a variable, or the path of a file",
    r"[^\s\x00][^\n\x00]*",
    lambda _: "",
    most=1000,
)
NOTE = text(
    "bad-value",
    "a word such as eu-west-1",
    r"[A-Za-z0-9][A-Za-z0-9._:/@-]*",
    lambda _: "letters, digits, . _ - : / @",
)
