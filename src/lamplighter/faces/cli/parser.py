"""The command line's grammar: commands, options, help with an example for each. Imports nothing slow."""

import argparse
from collections.abc import Callable, Sequence

from lamplighter import __version__

Add = Callable[[argparse.ArgumentParser], None]

EXIT_CODES = """exit codes:
  0  done, or nothing to change      4  this machine: port taken, folder read-only, part missing
  1  a fault of Lamplighter          5  held: no record can be kept (disk full)
  2  what was asked is wrong         6  another maintainer holds the system
  3  there are changes (plan), or    7  a target answered with a fault
     the facts have changed (apply)"""


class _Commands:
    """Collects sub-commands with the options that all of them have."""

    def __init__(self, root: argparse.ArgumentParser, dest: str = "command") -> None:
        self._under = root.add_subparsers(dest=dest, metavar=dest.upper(), required=True)

    def group(self, name: str, what: str, example: str) -> "_Commands":
        """Return what collects the commands under a name of their own: `lamp agents ls`."""
        command = self._under.add_parser(
            name,
            help=what,
            description=what[0].upper() + what[1:] + ".",
            epilog=f"example:\n  {example}\n\n{EXIT_CODES}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        return _Commands(command, "verb")

    def add(self, name: str, what: str, example: str, *options: Add) -> None:
        command = self._under.add_parser(
            name,
            help=what,
            description=what[0].upper() + what[1:] + ".",
            epilog=f"example:\n  {example}\n\n{EXIT_CODES}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        for option in (*options, _json):
            option(command)


def parser() -> argparse.ArgumentParser:
    """Return the whole grammar."""
    root = argparse.ArgumentParser(
        prog="lamp",
        description="Lamplighter takes a research prototype and keeps it running.",
        epilog=f"start with:\n  lamp init && lamp up\n\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    root.add_argument("--version", action="version", version=f"lamp {__version__}")
    commands = _Commands(root)
    _before(commands)
    _running(commands)
    _agents(
        commands.group("agents", "look into the pools of agents that run, and send to them", "lamp agents ls")
    )
    _looking_back(commands)
    return root


def _before(commands: _Commands) -> None:
    commands.add(
        "init",
        "look at the prototype in this folder and write a first lamp.yaml",
        "lamp init",
        _argument("folder", nargs="?", default=".", help="the prototype's folder (default: this one)"),
        _flag("--force", "overwrite a lamp.yaml that is there"),
    )
    commands.add("check", "check lamp.yaml; every fault with its place and mend", "lamp check", *_PROJECT)
    commands.add(
        "plan",
        "show what `up` would change, in which order, and the risk; touch nothing",
        "lamp plan --out plan.json",
        *_PROJECT,
        _argument("--out", metavar="FILE", help="write the plan, for `lamp apply`"),
    )
    commands.add(
        "apply",
        "carry out a plan; refused if the facts it was made from have changed",
        "lamp apply plan.json",
        _argument("plan", metavar="PLAN", help="a file that `lamp plan --out` wrote"),
        *_PROJECT,
        _WAIT,
    )
    commands.add("help", "explain an error code or a finding", "lamp help unknown-workload", _TOPIC)


def _running(commands: _Commands) -> None:
    commands.add(
        "up",
        "plan, confirm, apply and maintain; Ctrl-C detaches",
        "lamp up -d -y",
        *_PROJECT,
        _flag("-d", "return once the system is up; the maintainer goes on", dest="detach"),
        _flag("-y", "do not ask", dest="yes"),
        _WAIT,
    )
    commands.add("status", "show what runs, how it stands, and what is not known", "lamp status", *_PROJECT)
    commands.add(
        "logs",
        "show what the replicas of a workload write",
        "lamp logs -f search",
        _argument("name", metavar="NAME", help="a service"),
        _flag("-f", "go on as new lines come", dest="follow"),
        _argument("--tail", type=int, default=100, metavar="N", help="lines of each replica (default: 100)"),
        *_PROJECT,
    )
    commands.add(
        "approve", "let an action pass that waits for a person", "lamp approve 3fa29c", _ACTION, *_PROJECT
    )
    commands.add(
        "rollback",
        "bring a service back to an earlier release",
        "lamp rollback search",
        _argument("name", metavar="NAME", help="a service"),
        _argument("--to", metavar="RELEASE", default="", help="the release (default: the stable one before)"),
        *_PROJECT,
        _WAIT,
    )
    commands.add("down", "drain and end everything of the system", "lamp down", *_PROJECT, _WAIT)


def _agents(commands: _Commands) -> None:
    commands.add(
        "ls",
        "count the agents of each kind; or list those whose address begins so",
        "lamp agents ls reader/",
        _argument("prefix", metavar="PREFIX", nargs="?", default="", help="as reader/ or reader/2024-"),
        _argument("--after", metavar="ADDRESS", default="", help="only those that come after it"),
        _MOST,
        *_POOL,
    )
    commands.add(
        "show",
        "show an agent's state, mail, timers and dead letters",
        "lamp agents show reader/7",
        _ADDRESS,
        *_POOL,
    )
    commands.add(
        "send",
        "send an agent a message and print its answer",
        """lamp agents send reader/7 '{"type": "Ask", "q": "zip?"}'""",
        _ADDRESS,
        _argument(
            "message", metavar="JSON", help="the message; its type may be left out if there is but one"
        ),
        _argument("--key", metavar="KEY", default="", help="sent again under it, it has no second effect"),
        _flag("--no-answer", "return once the message is durable"),
        _argument(
            "--wait", type=float, default=30.0, metavar="S", help="longest wait, in seconds (default: 30)"
        ),
        *_POOL,
    )
    commands.add(
        "top",
        "show the agents with most messages waiting, and what the pool has done",
        "lamp agents top",
        _MOST,
        *_POOL,
    )
    commands.add(
        "deadletters",
        "list the messages that could not be handled; send them again or throw them away",
        "lamp agents deadletters reader/ --replay",
        _argument("prefix", metavar="PREFIX", nargs="?", default="", help="only those to such addresses"),
        _argument("--letter", metavar="ID", default="", help="only this one, as the list shows it"),
        _flag("--replay", "send them again"),
        _flag("--bury", "throw them away for good"),
        _MOST,
        *_POOL,
    )


def _looking_back(commands: _Commands) -> None:
    commands.add(
        "ledger",
        "show what was asked, decided, done and verified",
        "lamp ledger --verify",
        *_PROJECT,
        _flag("--verify", "check the chain and its anchors"),
        _argument("--since", type=int, default=0, metavar="N", help="from entry N on"),
        _argument("--last", type=int, default=0, metavar="N", help="the last N entries only"),
    )
    commands.add(
        "explain", "say why an action was taken, or was not", "lamp explain 3fa29c", _ACTION, *_PROJECT
    )
    commands.add(
        "replay",
        "make every recorded decision again; see what another policy would have decided; or cut out a part",
        "lamp replay --policy stricter.yaml",
        *_PROJECT,
        _argument("--from", dest="first", type=int, default=0, metavar="PASS", help="the first pass"),
        _argument("--to", dest="last", type=int, default=None, metavar="PASS", help="the last pass"),
        _argument("--policy", metavar="FILE", help="a part of a spec, laid over the recorded one"),
        _argument("--recording", metavar="FILE", help="a recording from elsewhere"),
        _argument(
            "--export", metavar="FILE", help="write these passes into a new file, without private text"
        ),
    )
    commands.add(
        "simulate",
        "live hours of this system through in virtual time, with everything that may go wrong",
        "lamp simulate --from-recording --policy cheaper.yaml",
        *_PROJECT,
        _argument("--seeds", type=int, default=10, metavar="N", help="how many runs (default: 10)"),
        _argument("--seed", type=int, default=1, metavar="N", help="the first of them (default: 1)"),
        _argument(
            "--hours", type=float, default=None, metavar="H", help="virtual hours of each (default: 1)"
        ),
        _argument("--troubles", type=float, default=8.0, metavar="N", help="troubles an hour (default: 8)"),
        _argument("--only", default="", metavar="KIND[,KIND]", help="only these kinds of trouble"),
        _argument(
            "--from-recording",
            nargs="?",
            const="",
            default=None,
            metavar="FILE",
            help="what was asked and went wrong in a recorded time (default: the system's own)",
        ),
        _argument("--policy", metavar="FILE", help="a part of a spec, laid over it: both are shown"),
        _flag("--trace", "show what happened, event by event; with --seeds 1"),
    )


def _argument(*names: str, **options: object) -> Add:
    def add(command: argparse.ArgumentParser) -> None:
        command.add_argument(*names, **options)  # type: ignore[arg-type]

    return add


def _flag(name: str, what: str, dest: str = "") -> Add:
    return _argument(name, action="store_true", help=what, **({"dest": dest} if dest else {}))


_json = _flag("--json", "print JSON, for programs")
_ACTION = _argument("action", metavar="ACTION", help="an action's id, as `status` and `ledger` show it")
_TOPIC = _argument("topic", metavar="CODE", nargs="?", default="", help="a code (default: list all)")
_WAIT = _argument(
    "--wait", type=float, default=300.0, metavar="S", help="longest wait, in seconds (default: 300)"
)
_PROJECT: Sequence[Add] = (
    _argument("--spec", metavar="FILE", default="", help="the spec (default: lamp.yaml here)"),
    _argument("--system", metavar="NAME", default="", help="a system by name, where there is no spec"),
    _argument("--site", metavar="SITE", default="", help="a site of the spec (default: its default_site)"),
)
_ADDRESS = _argument("address", metavar="ADDRESS", help="of the agent: kind/id")
_MOST = _argument("--most", type=int, default=100, metavar="N", help="at most so many (default: 100)")
_POOL: Sequence[Add] = (
    *_PROJECT,
    _argument("--pool", metavar="NAME", default="", help="the pool, where there are several"),
)
