"""The command `python -m benchmarks`: finds a benchmark by name, runs it, prints and writes its figures.

A benchmark is a module or package `benchmarks.<name>` with `run(options) -> Figures` (a plain or a coroutine
function) and, if it comes in parts, `PARTS: dict[str, str]`, name to one line of what it measures. One that
takes arguments of its own has `arguments(parser)`; their values are in `options.asked`.
"""

import argparse
import asyncio
import difflib
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

import benchmarks
from benchmarks.report import CannotRunError, Figures, Options, as_document, table, write_json

KIT = frozenset({"__main__", "report", "load", "workloads"})
ALL_HOLD, SOME_MISSED, USER_ERROR, INTERRUPTED = 0, 1, 2, 130

EPILOG = """\
example:
  python -m benchmarks local --quick --only kills,repair --json results/local.json

exit codes: 0 every target holds, 1 some target does not, 2 the command line is wrong, 130 interrupted
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command with its arguments and return its exit code."""
    parser = _parser()
    try:
        module = _named(arguments)
        if module is not None and hasattr(module, "arguments"):
            module.arguments(parser)
        asked = parser.parse_args(arguments)
        if asked.list:
            print(_listing())
            return ALL_HOLD
        if module is None:
            parser.print_help(sys.stderr)
            return USER_ERROR
        options = _options(asked, module)
        return _measure(asked.name, module, options, asked.json)
    except CannotRunError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return USER_ERROR


def names() -> list[str]:
    """The names of what may be a benchmark: everything in the package but the kit."""
    found = (module.name for module in pkgutil.iter_modules(benchmarks.__path__))
    return sorted(name for name in found if name not in KIT and not name.startswith("_"))


def find(name: str) -> ModuleType:
    """The benchmark of this name.

    Raises:
        CannotRunError: there is none; the message suggests the nearest name. Retrying does not help.
    """
    if name not in names():
        raise CannotRunError(f"no benchmark is named {name!r}. {_nearest(name, names())}")
    module = importlib.import_module(f"benchmarks.{name}")
    if not callable(getattr(module, "run", None)):
        raise CannotRunError(f"benchmarks.{name} has no run(options); it is not a benchmark")
    return module


def parts(module: ModuleType) -> Mapping[str, str]:
    """The parts of a benchmark, name to description; empty when it comes as a whole."""
    described: Mapping[str, str] = getattr(module, "PARTS", {})
    return described


def _named(arguments: Sequence[str]) -> ModuleType | None:
    """The benchmark that the arguments name, before it is known which others it takes."""
    asked, _ = _parser(full=False).parse_known_args(arguments)
    return find(asked.name) if asked.name is not None and not asked.list else None


def _parser(*, full: bool = True) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Runs one benchmark and shows which of its targets hold.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=full,
        allow_abbrev=False,
    )
    parser.add_argument("name", nargs="?", help="which benchmark; --list shows them")
    parser.add_argument(
        "--quick", action="store_true", help="a short run that shows it works; proves no figure"
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="a folder with real data, if it wants one")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    parser.add_argument(
        "--seed", type=int, default=1, metavar="N", help="every random draw comes from it (1)"
    )
    parser.add_argument("--only", default="", metavar="PART[,PART]", help="run these parts only")
    parser.add_argument("--list", action="store_true", help="show the benchmarks and their parts")
    return parser


def _options(asked: argparse.Namespace, module: ModuleType) -> Options:
    only = frozenset(part.strip() for part in asked.only.split(",") if part.strip())
    for part in sorted(only - parts(module).keys()):
        raise CannotRunError(f"{asked.name} has no part {part!r}. {_nearest(part, list(parts(module)))}")
    if asked.data is not None and not asked.data.is_dir():
        raise CannotRunError(f"--data {asked.data} is not a folder")
    return Options(quick=asked.quick, data=asked.data, seed=asked.seed, only=only, asked=asked)


def _measure(name: str, module: ModuleType, options: Options, path: Path | None) -> int:
    try:
        figures = module.run(options)
        if inspect.iscoroutine(figures):
            figures = asyncio.run(figures)
    except KeyboardInterrupt:
        _tell(name, options.figures, options, path)
        print("benchmarks: interrupted; the figures are those taken so far", file=sys.stderr)
        return INTERRUPTED
    except BaseException:
        if options.figures.figures:
            _tell(name, options.figures, options, path)
        raise
    assert isinstance(figures, Figures), f"{module.__name__}.run returned {type(figures).__name__}"
    return _tell(name, figures, options, path)


def _tell(name: str, figures: Figures, options: Options, path: Path | None) -> int:
    print(table(figures))
    if path is not None:
        write_json(path, as_document(name, figures, options))
        options.progress(f"written to {path}")
    missed = figures.missed()
    if missed:
        print(
            f"{len(missed)} of {len(figures.bounds)} targets do not hold: {', '.join(missed)}",
            file=sys.stderr,
        )
    return SOME_MISSED if missed else ALL_HOLD


def _listing() -> str:
    lines = []
    for name in names():
        module = importlib.import_module(f"benchmarks.{name}")
        if callable(getattr(module, "run", None)):
            lines.append(f"{name}: {(module.__doc__ or 'undescribed').splitlines()[0]}")
            lines += [f"  {part}: {what}" for part, what in parts(module).items()]
    return "\n".join(lines) or "there are no benchmarks yet"


def _nearest(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"Did you mean {near[0]!r}?"
    return f"Known: {', '.join(known)}" if known else "There are none yet"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
