"""What the command says before anything runs: checks, plans, refusals."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tests.acceptance.cli.conftest import Prototype

EXIT_USER, EXIT_CHANGES, EXIT_ENVIRONMENT = 2, 3, 4


def test_check_names_place_cause_and_mend(prototype: Prototype) -> None:
    """A misspelt key is refused with file, line, column and the nearest key."""
    prototype.edit("replicas:", "replica:")
    ran = prototype.lamp("check")
    assert EXIT_USER == ran.code
    assert "lamp.yaml:8:5" in ran.err
    assert "unknown-key" in ran.err
    assert "replicas" in ran.err


def test_check_as_json(prototype: Prototype) -> None:
    """A program gets the same faults as JSON, with the exit code."""
    prototype.edit("min: 2", "min: 9")
    ran = prototype.lamp("check", "--json")
    assert (EXIT_USER, EXIT_USER) == (ran.code, ran.json["exit_code"])
    assert 8 == ran.json["faults"][0]["line"]


def test_no_spec_points_to_init(prototype: Prototype) -> None:
    """In a folder without a spec the mend is `lamp init`."""
    (prototype.folder / "lamp.yaml").unlink()
    ran = prototype.lamp("plan")
    assert EXIT_USER == ran.code
    assert "lamp init" in ran.err


def test_init_writes_a_spec_that_checks(prototype: Prototype) -> None:
    """`lamp init` finds the ASGI app, and what it writes is sound."""
    (prototype.folder / "lamp.yaml").unlink()
    assert 0 == prototype.lamp("init").code
    assert "app: app:app" in (prototype.folder / "lamp.yaml").read_text()
    assert 0 == prototype.lamp("check").code


def test_init_keeps_a_spec_that_is_there(prototype: Prototype) -> None:
    """`lamp init` never overwrites without --force."""
    before = (prototype.folder / "lamp.yaml").read_text()
    assert EXIT_USER == prototype.lamp("init").code
    assert before == (prototype.folder / "lamp.yaml").read_text()


def test_plan_changes_nothing(prototype: Prototype) -> None:
    """A plan exits with 3, and afterwards no process, release or recording is there."""
    ran = prototype.lamp("plan")
    assert EXIT_CHANGES == ran.code
    assert "start 2 of web" in ran.out
    left = [each.name for each in prototype.state.rglob("*")] if prototype.state.exists() else []
    assert [] == [each for each in left if each.endswith((".sqlite", ".sock")) or each.startswith("r-")]


def test_what_is_not_built_yet_is_said(prototype: Prototype) -> None:
    """A job in the spec is named in the plan, with its place, as not possible here yet."""
    prototype.edit("services:\n", "jobs: {index: {command: python x.py}}\nservices:\n")
    ran = prototype.lamp("plan", "--json")
    assert EXIT_CHANGES == ran.code
    assert ["not-on-this-target"] == sorted({each["kind"] for each in ran.json["missing"]})


def test_another_target_is_refused_clearly(prototype: Prototype) -> None:
    """A Kubernetes site is refused by name, not ignored."""
    prototype.edit("services:\n", "default_site: prod\nsites: {prod: {target: kubernetes}}\nservices:\n")
    ran = prototype.lamp("up", "-y", "-d")
    assert EXIT_USER == ran.code
    assert "kubernetes" in ran.err


def test_up_without_anyone_to_ask_needs_a_yes(prototype: Prototype) -> None:
    """With changes and no terminal, `up` wants -y and starts nothing."""
    ran = prototype.lamp("up", "-d")
    assert EXIT_USER == ran.code
    assert "-y" in ran.err
    assert not (prototype.state / f"cli-{prototype.port}" / "recording.sqlite").exists()


def test_port_that_is_taken(prototype: Prototype) -> None:
    """A taken gateway port names its owner and a free port, and nothing is started."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", prototype.port))
        taken.listen()
        ran = prototype.lamp("up", "-y", "-d")
    assert EXIT_ENVIRONMENT == ran.code
    assert f"process {os.getpid()}" in ran.err
    assert "gateway: {port:" in ran.err


def test_state_folder_that_cannot_be_written(prototype: Prototype, tmp_path: Path) -> None:
    """A state folder that cannot be made is refused before anything starts, naming the variable."""
    (tmp_path / "file").write_text("")
    ran = prototype.lamp("up", "-y", "-d", LAMP_STATE_DIR=str(tmp_path / "file" / "state"))
    assert EXIT_ENVIRONMENT == ran.code
    assert "LAMP_STATE_DIR" in ran.err


@pytest.mark.parametrize("command", [["plan"], ["up", "-y", "-d"]])
def test_secrets_with_a_state_folder_that_cannot_be_written(
    prototype: Prototype, tmp_path: Path, command: list[str]
) -> None:
    """Versions of secrets need the state folder; without it the fault names the variable that moves it."""
    prototype.edit(
        "services:\n  web:\n", "secrets: {key: {from: env}}\nservices:\n  web:\n    secrets: [key]\n"
    )
    (tmp_path / "file").write_text("")
    ran = prototype.lamp(*command, LAMP_STATE_DIR=str(tmp_path / "file" / "state"), KEY="v")
    assert (EXIT_ENVIRONMENT, True) == (ran.code, "LAMP_STATE_DIR" in ran.err)


def test_down_of_what_never_ran_starts_nothing(prototype: Prototype) -> None:
    """Taking down a system that never was up is no error, and leaves no maintainer behind."""
    (prototype.state / f"cli-{prototype.port}").mkdir(parents=True)
    assert 0 == prototype.lamp("down").code
    assert [] == list((prototype.state / f"cli-{prototype.port}").glob("*.sock"))


def test_secret_that_is_not_set(prototype: Prototype) -> None:
    """A secret without a value is named with its variable."""
    prototype.edit(
        "services:\n  web:\n", "secrets: {key: {from: env}}\nservices:\n  web:\n    secrets: [key]\n"
    )
    ran = prototype.lamp("up", "-y", "-d")
    assert EXIT_ENVIRONMENT == ran.code
    assert "KEY" in ran.err


def test_unknown_system(prototype: Prototype) -> None:
    """Asking for the status of what never ran says so."""
    ran = prototype.lamp("status")
    assert EXIT_USER == ran.code
    assert "lamp up" in ran.err


@pytest.mark.parametrize(
    "words", [["plan", "--spec", "nowhere.yaml"], ["apply", "nowhere.json"], ["frobnicate"]]
)
def test_bad_words_end_with_two(prototype: Prototype, words: list[str]) -> None:
    """Files that are not there and commands that do not exist are user errors."""
    assert EXIT_USER == prototype.lamp(*words).code


def test_every_code_has_help(prototype: Prototype) -> None:
    """Each code that an error can carry is explained by `lamp help`."""
    source = Path(__file__).parents[3] / "src"
    grep = subprocess.run(
        ["grep", "-rhoE", 'code="[a-z-]+"', str(source)], capture_output=True, text=True, check=True
    )
    known = set(prototype.lamp("help", "--json").json)
    inward = {"replay", "overlooked", "overtaken", "precondition-false", "revalidate-failed", "bad-request"}
    inward |= {"dismantling", "port-not-reserved", "intent-malformed", "request-invalid", "request-too-large"}
    inward |= {"query-invalid", "unknown-target", "internal"}
    assert set() == {each.split('"')[1] for each in grep.stdout.split()} - known - inward


def test_help_needs_nothing_slow() -> None:
    """`lamp --help` imports neither msgspec nor any backend."""
    code = "import sys; from lamplighter.faces.cli.parser import parser; parser(); print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set() == {"msgspec", "asyncio", "yaml", "sqlite3", "starlette"} & set(ran.stdout.split())


def test_simulate_tells_how_users_would_fare(prototype: Prototype) -> None:
    """Minutes of the spec here are lived through, as it is and under a policy, and nothing is started."""
    prototype.edit("max: 4}", "max: 4}\n    scale: {on: in_flight, goal: 8}")
    (prototype.folder / "policy.yaml").write_text("services: {web: {replicas: {min: 3}}}\n")
    asked = ("--seeds", "1", "--hours", "0.1", "--policy", "policy.yaml", "--json")
    ran = prototype.lamp("simulate", *asked)
    least = {name: each["services"]["web"]["replicas_most"] for name, each in ran.json.items()}
    assert (0, ["as it is", "policy.yaml"]) == (ran.code, sorted(least))
    assert least["policy.yaml"] >= 3
    assert not prototype.state.exists()


def test_simulate_says_which_troubles_there_are(prototype: Prototype) -> None:
    """An unknown kind of trouble is refused, with those that are known."""
    ran = prototype.lamp("simulate", "--only", "earthquake")
    assert (EXIT_USER, True) == (ran.code, "earthquake" in ran.err and "reboot" in ran.err)
