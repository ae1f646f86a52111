"""What one Python file of a prototype shows of itself: apps, servers, secrets, a health page.

By static reading only: nothing is imported or run. What cannot be read as Python shows nothing.
"""

import ast
import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

Kind = Literal[
    "asgi",
    "wsgi",
    "factory",
    "script",
    "streamlit",
    "gradio",
    "agent",
    "health",
    "secret",
    "variable",
    "port",
    "unreadable",
]

# Constructors of apps, by the module that they come from.
_ASGI = {
    "fastapi.FastAPI",
    "starlette.applications.Starlette",
    "quart.Quart",
    "litestar.Litestar",
    "litestar.app.Litestar",
    "sanic.Sanic",
    "blacksheep.Application",
    "falcon.asgi.App",
    "django.core.asgi.get_asgi_application",
    "channels.routing.ProtocolTypeRouter",
    "socketio.ASGIApp",
    "asgiref.wsgi.WsgiToAsgi",
    "a2wsgi.WSGIMiddleware",
}
_WSGI = {
    "flask.Flask",
    "bottle.Bottle",
    "falcon.App",
    "falcon.API",
    "pyramid.config.Configurator",
    "django.core.wsgi.get_wsgi_application",
    "dash.Dash",
}
_AGENTS = {"lamplighter.runtime.Agent", "lamplighter.runtime.agents.Agent"}
# Calls that make a script a server of its own.
_SERVES = (
    "uvicorn.run",
    "hypercorn.",
    "waitress.serve",
    "aiohttp.web.run_app",
    "http.server.HTTPServer",
    "http.server.ThreadingHTTPServer",
    "socketserver.TCPServer",
    "socketserver.ThreadingTCPServer",
    "wsgiref.simple_server.make_server",
    "asyncio.start_server",
    "tornado.ioloop.",
    "websockets.serve",
    "websockets.asyncio.server.serve",
    "websockets.sync.server.serve",
)
_SERVING_METHODS = frozenset({"run", "serve_forever", "listen", "start_server", "run_app"})
_ENVIRONMENT = (
    "os.environ.get",
    "os.getenv",
    "os.environ",
    "os.environ.setdefault",
    "environ.get",
    "decouple.config",
)

HEALTH = (
    r"/?(?:api/)?(?:v[0-9]/)?"
    r"(?:_?healthz?|health[-_]?check|ready|readyz|readiness|livez?|liveness|ping|alive|status)/?"
)
CONFIDENTIAL = r"(?i)(?:^|_)(?:key|token|secret|password|passwd|pwd|credentials?|dsn)(?:$|_)"
FILE_CHARACTERS_MAX = 400_000


class Sighting(NamedTuple):
    """One thing seen: what kind, its name (an object, a variable, a path), and where."""

    kind: Kind
    name: str
    file: str
    line: int
    detail: str = ""

    @property
    def where(self) -> str:
        """Return file and line."""
        return f"{self.file}:{self.line}" if self.line else self.file


def sightings(file: str, text: str) -> list[Sighting]:
    """Return what a Python file shows.

    Args:
        file: its path below the prototype's folder.
        text: what is in it.
    """
    from warnings import catch_warnings, simplefilter  # noqa: PLC0415 - only here

    if len(text) > FILE_CHARACTERS_MAX:
        return [Sighting("unreadable", "", file, 0, "too long to look through")]
    try:
        with catch_warnings():
            simplefilter("ignore")
            tree = ast.parse(text)
        return list(_Reading(file, tree).all())
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None) or 0
        return [Sighting("unreadable", "", file, line, "not Python that this version can read")]


class _Reading:
    """One file, read once."""

    def __init__(self, file: str, tree: ast.Module) -> None:
        self._file = file
        self._tree = tree
        self._names = dict(_imported(tree))
        self._classes: dict[str, Kind] = {}
        self._makers: set[str] = set()
        for node in tree.body:
            kind = self._kind_of_class(node)
            if isinstance(node, ast.ClassDef) and kind:
                self._classes[node.name] = kind
        self._makers.update(each.name for node in tree.body for each in self._factory(node))

    def all(self) -> Iterator[Sighting]:
        """Yield all that is seen, in the order of its kind."""
        yield from self._apps()
        yield from self._bare_apps()
        yield from self._scripts()
        yield from self._interfaces()
        yield from self._agents()
        for node in ast.walk(self._tree):
            if isinstance(node, (ast.Call, ast.Subscript)):
                yield from self._variables(node)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield from self._health(node, node.value)

    def _full(self, node: ast.expr) -> str:
        """Return the dotted name of an expression, with imports followed; empty if it is none."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ""
        return ".".join([self._names.get(node.id, node.id), *reversed(parts)])

    def _apps(self) -> Iterator[Sighting]:
        """Yield `app = FastAPI()` and the like at the top of the module, and functions that return one."""
        for node in self._tree.body:
            if isinstance(node, (ast.Assign, ast.AnnAssign)) and isinstance(node.value, ast.Call):
                kind, made = self._kind(node.value)
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                for target in targets:
                    if kind and isinstance(target, ast.Name):
                        yield Sighting(kind, target.id, self._file, node.lineno, made)
            else:
                yield from self._factory(node)

    def _factory(self, node: ast.stmt) -> Iterator[Sighting]:
        """Yield a function without arguments that makes an ASGI app."""
        if not isinstance(node, ast.FunctionDef) or node.args.args:
            return
        for inner in ast.walk(node):
            if isinstance(inner, ast.Call):
                kind, made = self._kind(inner)
                if kind == "asgi":
                    yield Sighting("factory", node.name, self._file, node.lineno, made)
                    return

    def _kind_of_class(self, node: ast.stmt) -> Kind | None:
        """Return what an instance of a class of this file is: an app by its base, or by `__call__`."""
        if not isinstance(node, ast.ClassDef):
            return None
        bases = {self._full(each) for each in node.bases}
        called = [
            each for each in node.body if isinstance(each, ast.AsyncFunctionDef) and each.name == "__call__"
        ]
        if bases & _ASGI or any(_takes_a_scope(each, 1) for each in called):
            return "asgi"
        return "wsgi" if bases & _WSGI else None

    def _kind(self, call: ast.Call) -> tuple[Kind | None, str]:
        """Return what a call makes: an ASGI app, a WSGI app, or neither."""
        full = self._full(call.func)
        made = full.rpartition(".")[2]
        known: Kind | None = (
            "asgi" if full in _ASGI or full in self._makers else "wsgi" if full in _WSGI else None
        )
        return known or self._classes.get(full), made

    def _bare_apps(self) -> Iterator[Sighting]:
        """Yield `async def app(scope, receive, send)`."""
        for node in self._tree.body:
            if isinstance(node, ast.AsyncFunctionDef) and _takes_a_scope(node, 0):
                yield Sighting("asgi", node.name, self._file, node.lineno, "a bare function")

    def _scripts(self) -> Iterator[Sighting]:
        """Yield the file itself, if running it starts a server."""
        guard = next((each for each in self._tree.body if _is_main(each)), None)
        for call in (each for each in ast.walk(self._tree) if isinstance(each, ast.Call)):
            full = self._full(call.func)
            method = isinstance(call.func, ast.Attribute) and call.func.attr in _SERVING_METHODS
            if full.startswith(_SERVES) or (guard is not None and method and _within(call, guard)):
                named = full or getattr(call.func, "attr", "")
                line = guard.lineno if guard is not None else call.lineno
                yield Sighting("script", "", self._file, line, f"{named}()")
                yield from self._fixed_port(call)
                return

    def _fixed_port(self, call: ast.Call) -> Iterator[Sighting]:
        """Yield a port that stands in the call as a number."""
        for keyword in call.keywords:
            value = keyword.value
            if keyword.arg == "port" and isinstance(value, ast.Constant) and isinstance(value.value, int):
                yield Sighting("port", str(value.value), self._file, value.lineno)

    def _interfaces(self) -> Iterator[Sighting]:
        roots: dict[str, Kind] = {"streamlit": "streamlit", "gradio": "gradio"}
        for node in self._tree.body:
            for name in _modules(node):
                if name in roots:
                    yield Sighting(roots[name], "", self._file, node.lineno)

    def _agents(self) -> Iterator[Sighting]:
        """Yield classes of agents."""
        for node in self._tree.body:
            if isinstance(node, ast.ClassDef) and _AGENTS & {self._full(each) for each in node.bases}:
                yield Sighting("agent", node.name, self._file, node.lineno)

    def _variables(self, node: ast.Call | ast.Subscript) -> Iterator[Sighting]:
        """Yield names of environment variables that are read; never a value."""
        if isinstance(node, ast.Subscript):
            full, argument = self._full(node.value), node.slice
        else:
            full = self._full(node.func)
            argument = node.args[0] if node.args else node
        if full not in _ENVIRONMENT or not isinstance(argument, ast.Constant):
            return
        name = argument.value
        if isinstance(name, str) and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,62}", name):
            yield Sighting(kind_of_variable(name), name, self._file, node.lineno)

    def _health(self, node: ast.Constant, text: str) -> Iterator[Sighting]:
        if len(text) > 3 and re.fullmatch(HEALTH, text) and ("/" in text):  # noqa: PLR2004 - "/up" is too little
            yield Sighting("health", "/" + text.lstrip("/"), self._file, node.lineno)


def kind_of_variable(name: str) -> Kind:
    """Return whether a variable's name speaks of a secret."""
    return "secret" if re.search(CONFIDENTIAL, name) else "variable"


def _imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield each name that an import binds, anywhere in the file, with what it stands for."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for each in node.names:
                yield (each.asname, each.name) if each.asname else (each.name.split(".")[0],) * 2
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for each in node.names:
                yield each.asname or each.name, f"{node.module}.{each.name}"


def _modules(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (each.name.split(".")[0] for each in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        yield node.module.split(".")[0]


def _takes_a_scope(function: ast.AsyncFunctionDef, first: int) -> bool:
    """Return whether a function takes what an ASGI server hands over: scope, receive, send."""
    names = [each.arg.lstrip("_") for each in function.args.args]
    return len(names) == first + 3 and names[first] == "scope"


def _is_main(node: ast.stmt) -> bool:
    test = node.test if isinstance(node, ast.If) else None
    return isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "__name__"


def _within(node: ast.AST, outer: ast.AST) -> bool:
    return any(each is node for each in ast.walk(outer))
