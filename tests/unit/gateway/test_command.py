"""How Envoy is started, and what its last words mean."""

import subprocess
import sys
from pathlib import Path

import pytest

from lamplighter.targets.local.gateway import command, failure

TAKEN = "[critical] error `cannot bind '0.0.0.0:80': {}` initializing config\ncannot bind '0.0.0.0:80': {}\n"


@pytest.mark.parametrize(
    ("why", "kind"),
    [
        ("Address already in use", "port-taken"),
        ("Permission denied", "port-forbidden"),
        ("Cannot assign requested address", "address-unavailable"),
        ("No buffer space available", "unknown"),
    ],
)
def test_failed_binds_are_told_apart(why: str, kind: str) -> None:
    """Each reason has its kind, and the address is named."""
    found = failure(TAKEN.replace("{}", why))
    assert (kind, "0.0.0.0:80") == (found.kind, found.address)


def test_refused_configuration() -> None:
    """A bootstrap that Envoy cannot read is told by its log."""
    log = "error `no such field` initializing config 'x'\nno such field: 'foo'\n"
    assert ("configuration", "no such field: 'foo'") == (failure(log).kind, failure(log).message)


def test_silence_is_unknown() -> None:
    """An Envoy killed before it could speak left no reason."""
    assert "unknown" == failure("").kind


def test_command_runs_the_binary_itself() -> None:
    """No Python stands between the supervisor and Envoy."""
    assert "envoy" == Path(command()[0]).name
    assert b"\x7fELF" == Path(command()[0]).read_bytes()[:4]


def test_log_goes_where_it_is_told() -> None:
    """Without a path to standard error, with one there."""
    assert "--log-path" not in command()
    assert "/x/envoy.log" == command(log_path=Path("/x/envoy.log"))[command(log_path=Path("/x")).index("/x")]


def test_face_imports_no_http_client() -> None:
    """The supervisor pays for values and files only."""
    code = (
        "import sys, lamplighter.targets.local.gateway; heavy = {'http.client', 'asyncio', 'email', 'ssl'};"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    assert "[]" == subprocess.check_output([sys.executable, "-c", code], text=True).strip()
