"""Guessing how a prototype is run, from the text of its files. Pure.

Every guess carries where it was seen and why it was taken, so that a first spec can say so.
"""

import json
import posixpath
import re
import shlex
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from lamplighter.spec.sightings import Sighting, kind_of_variable, sightings

LOCKS = ("uv.lock", "pylock.toml", "requirements.lock", "requirements.txt", "pyproject.toml")
FOREIGN_LOCKS = {
    "poetry.lock": "poetry",
    "Pipfile.lock": "pipenv",
    "environment.yml": "conda",
    "pdm.lock": "pdm",
}
LIKELY_NAMES = ("asgi", "main", "app", "server", "api", "web", "wsgi", "serve")
ASIDE = frozenset({"test", "tests", "examples", "example", "docs", "scripts", "benchmarks", "migrations"})


class Way(NamedTuple):
    """One way to start something: the spec's key and its text, the folder, and where and why."""

    key: str
    text: str
    where: str
    why: str
    folder: str = "."
    python_path: str = ""
    notes: tuple[str, ...] = ()
    health: str = ""
    single: bool = False


class Guess(NamedTuple):
    """What a prototype seems to be. `ways` are the ways to start it, the likeliest first."""

    name: str
    ways: tuple[Way, ...]
    lock: str
    python: str
    health: Sighting | None
    secrets: tuple[Sighting, ...]
    variables: tuple[str, ...]
    saw: tuple[str, ...]
    agents: tuple[Way, ...] = ()


def guess(files: Mapping[str, str], name: str) -> Guess:
    """Return what a prototype seems to be.

    Args:
        files: text by path below the prototype's folder, with `/` between names.
        name: of the folder.
    """
    seen = [
        each
        for path in sorted(files, key=_depth)
        if path.endswith(".py")
        for each in sightings(path, files[path])
    ]
    lock = next((each for each in LOCKS if each in files and _locks(each, files[each])), "")
    ways = _ways(files, seen, lock)
    secrets = _first([*_of_kind(seen, "secret"), *_dotenv(files, "secret")])
    variables = _first([*_of_kind(seen, "variable"), *_dotenv(files, "variable")])
    health = next(iter(_likely_first(_of_kind(seen, "health"), ways)), None)
    return Guess(
        name=system_name(name),
        ways=ways,
        lock=lock,
        python=_python(files) if lock else "",
        health=health,
        secrets=secrets,
        variables=tuple(
            each.name for each in variables if not re.fullmatch(r"PORT|PATH|HOME|LAMP_.*", each.name)
        ),
        saw=(*_saw(seen, files, lock),),
        agents=_agents(files, seen, lock),
    )


def system_name(text: str) -> str:
    """Return a system's name made of a folder's."""
    near = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-").lstrip("0123456789-")[:40].rstrip("-")
    return near or "prototype"


def _depth(path: str) -> tuple[int, str]:
    return path.count("/"), path


def _of_kind(seen: Iterable[Sighting], *kinds: str) -> list[Sighting]:
    return [each for each in seen if each.kind in kinds]


def _first(seen: Iterable[Sighting]) -> tuple[Sighting, ...]:
    """Return the first sighting of each name."""
    found: dict[str, Sighting] = {}
    for each in seen:
        found.setdefault(each.name.upper(), each)
    return tuple(found.values())


def _locks(name: str, text: str) -> bool:
    return name != "pyproject.toml" or "[project]" in text


def _python(files: Mapping[str, str]) -> str:
    found = re.fullmatch(r"\s*(3\.[0-9]{1,2}(?:\.[0-9]{1,2})?)\s*", files.get(".python-version", ""))
    return found[1] if found else ""


def _dotenv(files: Mapping[str, str], kind: str) -> list[Sighting]:
    """Return the names in .env files, never the values."""
    found = []
    for file in (".env", ".env.example", ".env.sample", ".env.local"):
        for line, text in enumerate(files.get(file, "").splitlines(), 1):
            name = re.match(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]{0,62})\s*=", text)
            if name and kind_of_variable(name[1]) == kind:
                found.append(Sighting(kind_of_variable(name[1]), name[1], file, line))
    return found


# --- ways to run


def _ways(files: Mapping[str, str], seen: list[Sighting], lock: str) -> tuple[Way, ...]:
    """Return every way to start something, the likeliest first: ASGI apps, then what files say."""
    modules = _Modules(files, lock)
    ways = [modules.asgi(each) for each in _ranked(_of_kind(seen, "asgi"))]
    ways += _procfile(files)
    ways += [modules.factory(each) for each in _ranked(_of_kind(seen, "factory"))]
    ways += [modules.interface(each) for each in _ranked(_of_kind(seen, "streamlit", "gradio"))]
    ways += [modules.wsgi(each) for each in _ranked(_of_kind(seen, "wsgi"))]
    ports = {each.file: each for each in _of_kind(seen, "port")}
    reads = {each.file for each in seen if each.name == "PORT"}
    ways += [modules.script(each, ports, reads) for each in _ranked(_of_kind(seen, "script"))]
    ways += _dockerfile(files)
    unique = {(each.folder, each.key, each.text): each for each in reversed(ways)}
    return tuple(each for each in ways if unique[each.folder, each.key, each.text] is each)


def _agents(files: Mapping[str, str], seen: list[Sighting], lock: str) -> tuple[Way, ...]:
    """Return the modules with agents that live in one folder, tests left out; the likeliest module first."""
    modules = _Modules(files, lock)
    found: dict[str, Way] = {}
    for each in _ranked(_of_kind(seen, "agent")):
        module, folder, path = modules.place(each.file)
        if not ASIDE.intersection(each.file.split("/")):
            found.setdefault(module, Way("agent", module, each.where, f"agents ({each.name})", folder, path))
    first = next(iter(found.values()), None)
    return tuple(each for each in found.values() if first is not None and each.folder == first.folder)


def _ranked(seen: Iterable[Sighting]) -> list[Sighting]:
    """Return sightings, the likeliest first: not in tests, near the top, of a usual name."""

    def rank(each: Sighting) -> tuple[bool, int, int, str]:
        *folders, name = each.file.split("/")
        stem = posixpath.splitext(name)[0]
        aside = any(part in ASIDE or part.startswith("test_") for part in (*folders, stem))
        usual = LIKELY_NAMES.index(stem) if stem in LIKELY_NAMES else len(LIKELY_NAMES)
        return aside, usual + 3 * each.file.count("/"), each.line, each.file

    return sorted(seen, key=rank)


def _likely_first(seen: list[Sighting], ways: tuple[Way, ...]) -> list[Sighting]:
    """Return health pages, those in the file of the likeliest way first."""
    file = ways[0].where.partition(":")[0] if ways else ""
    return sorted(_ranked(seen), key=lambda each: (each.file != file, "health" not in each.name))


class _Modules:
    """How files are named as modules: from which folder, and with what on Python's path."""

    def __init__(self, files: Mapping[str, str], lock: str) -> None:
        self._files = files
        self._lock = lock
        self._imported = set(
            re.findall(r"^\s*(?:from|import)\s+([A-Za-z_]\w*)", "\n".join(_python_texts(files)), re.MULTILINE)
        )

    def place(self, file: str) -> tuple[str, str, str]:
        """Return the module's name, the folder to run in, and what to put on the path."""
        root = posixpath.dirname(file)
        while root and (f"{root}/__init__.py" in self._files or root.split("/")[0] in self._imported):
            root = posixpath.dirname(root)
        parts = posixpath.splitext(file)[0].removeprefix(f"{root}/").split("/")
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if not root:
            return module, ".", ""
        return (module, ".", root) if self._lock else (module, root, "")

    def asgi(self, seen: Sighting) -> Way:
        """An ASGI app: served as it is."""
        module, folder, path = self.place(seen.file)
        return Way("app", f"{module}:{seen.name}", seen.where, f"an ASGI app ({seen.detail})", folder, path)

    def factory(self, seen: Sighting) -> Way:
        """A function that makes an ASGI app."""
        module, folder, path = self.place(seen.file)
        text = f"python -m uvicorn --factory {module}:{seen.name} --host 127.0.0.1 --port $PORT"
        return Way(
            "command", text, seen.where, f"a function that makes an ASGI app ({seen.detail})", folder, path
        )

    def wsgi(self, seen: Sighting) -> Way:
        """A WSGI app: it needs a server of its own."""
        module, folder, path = self.place(seen.file)
        everything = "\n".join(self._files.get(each, "") for each in LOCKS).lower()
        text = f"python -m gunicorn --bind 127.0.0.1:$PORT --threads 8 {module}:{seen.name}"
        notes = ["WSGI apps (Flask, Django without ASGI) need a server of their own, so this is a command."]
        if "waitress" in everything and "gunicorn" not in everything:
            text = f"python -m waitress --host 127.0.0.1 --port $PORT {module}:{seen.name}"
        elif "gunicorn" not in everything:
            notes.append(f"Add gunicorn to {self._lock or 'requirements.txt'}, or use another server.")
        why = f"a WSGI app ({seen.detail})"
        return Way("command", text, seen.where, why, folder, path, tuple(notes))

    def interface(self, seen: Sighting) -> Way:
        """A page of streamlit or gradio; what it remembers of a user lives in one replica."""
        notes = ("What it remembers of its users lives in the replica that they talk to, so there is one.",)
        file = shlex.quote(seen.file)
        if seen.kind == "streamlit":
            options = "--server.port $PORT --server.address 127.0.0.1 --server.headless true"
            text = f"python -m streamlit run {file} {options}"
            health = "/_stcore/health"
            return Way(
                "command", text, seen.where, "a streamlit page", notes=notes, health=health, single=True
            )
        text = f"GRADIO_SERVER_PORT=$PORT GRADIO_SERVER_NAME=127.0.0.1 exec python {file}"
        return Way("command", text, seen.where, "a gradio page", notes=notes, health="/", single=True)

    def script(self, seen: Sighting, ports: Mapping[str, Sighting], reads: set[str]) -> Way:
        """A script that is a server."""
        module, folder, path = self.place(seen.file)
        below = seen.file.removeprefix(f"{folder}/")
        text = f"python -m {module}" if "." in module else f"python {shlex.quote(below)}"
        notes: tuple[str, ...] = ()
        if seen.file in ports:
            port = ports[seen.file]
            notes = (
                f"It listens on port {port.name} ({port.where}): let it read the variable PORT instead.",
            )
        elif seen.file not in reads:
            notes = ("It must listen on the port in the variable PORT, and it does not seem to read it yet.",)
        return Way("command", text, seen.where, f"a script that serves ({seen.detail})", folder, path, notes)


def _python_texts(files: Mapping[str, str]) -> list[str]:
    return [text for path, text in files.items() if path.endswith(".py")]


def _procfile(files: Mapping[str, str]) -> list[Way]:
    ways = []
    for line, text in enumerate(files.get("Procfile", "").splitlines(), 1):
        found = re.fullmatch(r"\s*([A-Za-z][\w-]*)\s*:\s*(\S.*?)\s*", text)
        if found and found[1] == "web" and _splits(found[2]):
            ways.append(_command(found[2], f"Procfile:{line}", "the web process of the Procfile"))
    return ways


def _dockerfile(files: Mapping[str, str]) -> list[Way]:
    """Return the command of a Dockerfile: its last ENTRYPOINT and CMD."""
    last: dict[str, tuple[int, str]] = {}
    text = re.sub(r"\\\n", "  ", files.get("Dockerfile", ""))
    for line, row in enumerate(text.splitlines(), 1):
        found = re.match(r"\s*(CMD|ENTRYPOINT)\s+(\S.*)", row, re.IGNORECASE)
        if found:
            last[found[1].upper()] = (line, _words(found[2].strip()))
    if not last:
        return []
    command = " ".join(last[key][1] for key in ("ENTRYPOINT", "CMD") if key in last)
    if not _splits(command):
        return []
    line = max(each for each, _ in last.values())
    return [_command(command, f"Dockerfile:{line}", "the command of the Dockerfile")]


def _splits(command: str) -> bool:
    """Return whether a command can be split into words at all; if not, it is no use to suggest it."""
    try:
        return bool(shlex.split(command))
    except ValueError:
        return False


def _words(text: str) -> str:
    """Return a Dockerfile's command as a shell's: the list form is joined."""
    try:
        words = json.loads(text)
    except ValueError:
        return text
    return " ".join(shlex.quote(str(each)) for each in words) if isinstance(words, list) else text


_FIXED_PORT = (
    r"((?:--(?:server[.-])?port|--listen|-p)[ =]|(?:--bind|-b)[ =]\S*?:"
    r"|(?:0\.0\.0\.0|127\.0\.0\.1|localhost):)"
    r"[0-9]{2,5}\b"
)


def _command(text: str, where: str, why: str) -> Way:
    """Return a command, with a fixed port made $PORT."""
    text = re.sub(r"\$\{PORT(?::?-\d+)?\}|'\$PORT'", "$PORT", text)
    fixed = re.sub(_FIXED_PORT, r"\1$PORT", text)
    notes: tuple[str, ...] = ()
    if fixed != text:
        notes = ("Its fixed port was made $PORT: each replica gets a port of its own.",)
    elif "$PORT" not in text:
        notes = ("It must listen on the port in the variable PORT.",)
    return Way("command", fixed, where, why, notes=notes)


def _saw(seen: list[Sighting], files: Mapping[str, str], lock: str) -> list[str]:
    """Return in words what was looked at, besides the ways to run."""
    count = sum(path.endswith(".py") for path in files)
    lines = [f"{count} Python files" if count != 1 else "one Python file"]
    lines += [f"{lock}: what it depends on"] if lock else []
    for name, tool in FOREIGN_LOCKS.items():
        if name in files and not lock:
            lines.append(f"{name}: {tool} locks are not read; export a requirements.txt from it")
    lines += [f"{each.where}: {each.detail}" for each in _of_kind(seen, "unreadable")[:5]]
    return lines
