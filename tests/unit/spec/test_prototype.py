"""What `lamp init` makes of a prototype, from the text of its files."""

import pytest

from lamplighter.model.system import Service
from lamplighter.spec import check, parse
from lamplighter.spec.firstspec import first_spec, saw
from lamplighter.spec.prototype import guess, system_name

FASTAPI = "from fastapi import FastAPI\napp = FastAPI()\n"
FLASK = "from flask import Flask\napp = Flask(__name__)\n"
DJANGO = "from django.core.asgi import get_asgi_application as g\napplication = g()\n"
STREAMLIT = (
    "python -m streamlit run page.py --server.port $PORT --server.address 127.0.0.1 --server.headless true"
)
BARE = "class A:\n    async def __call__(self, scope, receive, send): ...\napp = A()\n"
MAIN = "if __name__ == '__main__':\n"
WAYS: dict[str, tuple[dict[str, str], str, str]] = {
    "fastapi": ({"main.py": FASTAPI}, "app", "main:app"),
    "renamed import": ({"api.py": "import fastapi as f\nweb: f.FastAPI = f.FastAPI()\n"}, "app", "api:web"),
    "starlette": ({"x.py": "from starlette.applications import Starlette as S\napp = S()\n"}, "app", "x:app"),
    "quart": ({"x.py": "import quart\napp = quart.Quart(__name__)\n"}, "app", "x:app"),
    "litestar": ({"x.py": "from litestar import Litestar\napp = Litestar([])\n"}, "app", "x:app"),
    "django": (
        {
            "lab/__init__.py": "",
            "lab/asgi.py": DJANGO,
        },
        "app",
        "lab.asgi:application",
    ),
    "bare function": ({"x.py": "async def serve(scope, receive, send): ...\n"}, "app", "x:serve"),
    "bare class": (
        {
            "p/__init__.py": "",
            "p/x.py": BARE,
        },
        "app",
        "p.x:app",
    ),
    "subclass": ({"x.py": "import fastapi\nclass A(fastapi.FastAPI): ...\napp = A()\n"}, "app", "x:app"),
    "made at the top": (
        {"x.py": "import fastapi\ndef make():\n    return fastapi.FastAPI()\napp = make()\n"},
        "app",
        "x:app",
    ),
    "factory": (
        {"x.py": "import fastapi\ndef make():\n    return fastapi.FastAPI()\n"},
        "command",
        "python -m uvicorn --factory x:make --host 127.0.0.1 --port $PORT",
    ),
    "flask": ({"app.py": FLASK}, "command", "python -m gunicorn --bind 127.0.0.1:$PORT --threads 8 app:app"),
    "flask with waitress": (
        {"app.py": FLASK, "requirements.txt": "flask\nwaitress\n"},
        "command",
        "python -m waitress --host 127.0.0.1 --port $PORT app:app",
    ),
    "script": (
        {"serve.py": f"import http.server as h\n{MAIN}    h.HTTPServer(('', 1), None).serve_forever()\n"},
        "command",
        "python serve.py",
    ),
    "script in a package": (
        {"p/__init__.py": "", "p/run.py": f"import aiohttp.web as w\n{MAIN}    w.run_app(None)\n"},
        "command",
        "python -m p.run",
    ),
    "Procfile": ({"Procfile": "worker: x\nweb: ./serve --port $PORT\n"}, "command", "./serve --port $PORT"),
    "Dockerfile": (
        {"Dockerfile": 'FROM x\nCMD a\nENTRYPOINT ["tini", "--"]\nCMD ["serve", "--port", "80"]\n'},
        "command",
        "tini -- serve --port $PORT",
    ),
    "streamlit": (
        {"page.py": "import streamlit as st\n"},
        "command",
        STREAMLIT,
    ),
    "gradio": (
        {"ui.py": "import gradio\n"},
        "command",
        "GRADIO_SERVER_PORT=$PORT GRADIO_SERVER_NAME=127.0.0.1 exec python ui.py",
    ),
    "app before script": (
        {"main.py": f"{FASTAPI}import uvicorn\n{MAIN}    uvicorn.run(app)\n"},
        "app",
        "main:app",
    ),
    "app before test": ({"tests/app.py": FASTAPI, "deep/down/x.py": FASTAPI}, "app", "x:app"),
}


def web(files: dict[str, str]) -> Service:
    """Return the service that the first spec of a prototype has."""
    return parse(first_spec(guess(files, "lab"))).services["web"]


@pytest.mark.parametrize("name", sorted(WAYS))
def test_how_it_is_run(name: str) -> None:
    """Each kind of prototype is run in its own way."""
    files, kind, text = WAYS[name]
    assert (kind, text) == (web(files).run.kind, web(files).run.value)


@pytest.mark.parametrize("name", sorted(WAYS))
def test_a_first_spec_is_sound_and_says_why(name: str) -> None:
    """It passes the check, and names the file that it was guessed from."""
    files, _, _ = WAYS[name]
    text = first_spec(guess(files, "lab"))
    check(text)
    assert guess(files, "lab").ways[0].where in text


def test_nothing_found() -> None:
    """A folder with nothing that serves gets a template, and is told so."""
    text = first_spec(guess({"x.py": "print(1)"}, "lab"))
    assert ["nothing-to-run"] == [each.code for each in check(text).warnings]
    assert "Nothing was found that serves requests" in text


@pytest.mark.parametrize("lock", ["uv.lock", "pylock.toml", "requirements.txt"])
def test_what_it_depends_on(lock: str) -> None:
    """A lock file names the Python environment."""
    assert lock == web({"main.py": FASTAPI, lock: ""}).python.requirements


def test_the_better_lock_is_taken() -> None:
    """A lock file goes before a list of wishes."""
    files = {
        "main.py": FASTAPI,
        "uv.lock": "",
        "requirements.txt": "",
        "pyproject.toml": "[project]",
        ".python-version": "3.12\n",
    }
    assert ("uv.lock", "3.12") == (web(files).python.requirements, web(files).python.version)


def test_secrets_by_name_never_by_value() -> None:
    """Variables that look like secrets are declared; their values are nowhere."""
    files = {
        "main.py": FASTAPI + "import os\nos.environ['OPENAI_API_KEY']; os.getenv('MODE')\n",
        ".env": "DB_PASSWORD=hunter2\nexport OPENAI_API_KEY=sk-123\nMODE=fast\n",
    }
    text = first_spec(guess(files, "lab"))
    assert ["db_password", "openai_api_key"] == sorted(parse(text).secrets)
    assert not [value for value in ("hunter2", "sk-123", "fast") if value in text]


def test_a_health_page_that_can_be_seen() -> None:
    """The page in the app's own file is taken."""
    files = {"main.py": FASTAPI + "@app.get('/healthz')\ndef h(): ...\n", "aside/other.py": "'/ping'"}
    assert "/healthz" == web(files).health.path


def test_a_source_folder_is_put_on_the_path() -> None:
    """With the lock file above it, a src folder is found by PYTHONPATH."""
    files = {"src/p/__init__.py": "", "src/p/a.py": FASTAPI, "uv.lock": ""}
    assert ("p.a:app", {"PYTHONPATH": "src"}) == (web(files).run.value, web(files).env)


def test_a_folder_of_its_own() -> None:
    """Without one, it is run in its own folder, where its neighbours can be imported."""
    service = web({"backend/main.py": FASTAPI})
    assert ("backend", "main:app") == (service.folder, service.run.value)


def test_other_ways_stand_beside_as_comments() -> None:
    """What was not taken can be put in by hand."""
    text = first_spec(guess({"main.py": FASTAPI, "Procfile": "web: serve $PORT"}, "lab"))
    assert "# or: command: serve $PORT   (Procfile:1)" in text


def test_a_file_that_is_not_python_is_said() -> None:
    """One broken file does not hide the others."""
    found = guess({"main.py": FASTAPI, "broken.py": "def ("}, "lab")
    assert "main:app" == found.ways[0].text
    assert ["broken.py:1: not Python that this version can read"] == [
        each for each in saw(found) if "broken" in each
    ]


ODD = ["", "  ", "123", "Ünïcode Lab!", "a" * 90, "-x-", "null", "..", "x\ny", "9 lives"]


@pytest.mark.parametrize("name", ODD)
def test_any_folder_gives_a_name(name: str) -> None:
    """Whatever the folder is called, the system has a name that is sound."""
    assert system_name(name) == parse(first_spec(guess({}, name))).name


@pytest.mark.parametrize("file", ['a b/"q".py', "x: y.py", "né/it's.py", "a\nb.py", "#x.py", "{a}.py"])
def test_any_file_name_gives_a_sound_spec(file: str) -> None:
    """Odd names are quoted where they are used, and harmless where they are quoted."""
    check(first_spec(guess({file: "import streamlit\n", "Procfile": f"web: run '{file!r}' $PORT"}, "lab")))


AGENT = "from lamplighter.runtime import Agent\n\n\nclass Reader(Agent):\n    pass\n"


def test_agents_become_a_pool() -> None:
    """Modules with agents are put into one pool, tests left out; beside a service if there is one."""
    files = {"swarm.py": AGENT, "more.py": AGENT, "tests/crew.py": AGENT, "main.py": FASTAPI}
    system = parse(first_spec(guess(files, "library")))
    assert (("more", "swarm"), ["web"]) == (system.agents["swarm"].agent, list(system.services))


def test_agents_alone() -> None:
    """A prototype of nothing but agents is a sound spec, and its agents are told."""
    guessed = guess({"p/__init__.py": "", "p/swarm.py": AGENT}, "library")
    assert (("p.swarm",), ()) == (
        parse(first_spec(guessed)).agents["swarm"].agent,
        check(first_spec(guessed)).warnings,
    )
    assert "p/swarm.py:4: agents (Reader)" in saw(guessed)
