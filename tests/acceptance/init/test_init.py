"""`lamp init` on real folders: what it writes, what it leaves alone, and that it runs nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

from lamplighter.app.init import init
from lamplighter.model.errors import EnvironmentFault, UserError
from lamplighter.spec import check

LIBRARY = Path(__file__).parents[3] / "examples" / "library"
FASTAPI = "from fastapi import FastAPI\napp = FastAPI()\n"


def folder(place: Path, files: dict[str, str]) -> Path:
    """Write files below a folder and return it."""
    for name, text in files.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return place


def tell(place: Path, program: str) -> subprocess.CompletedProcess[str]:
    """Run a few lines of Python in a process of its own, in a folder."""
    return subprocess.run(
        [sys.executable, "-c", program], cwd=place, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_example_is_understood(tmp_path: Path) -> None:
    """From the library's own files comes the app and the health page that its spec has."""
    for path in (LIBRARY / "library").glob("*.py"):
        folder(tmp_path, {f"library/{path.name}": path.read_text(encoding="utf-8")})
    service = check(init(tmp_path).text).system.services["web"]
    assert ("library.search:app", "/healthz") == (service.run.value, service.health.path)


def test_what_is_written_is_what_is_told(tmp_path: Path) -> None:
    """The file holds the text, in a form that passes the check; nothing else is left in the folder."""
    begun = init(folder(tmp_path, {"main.py": FASTAPI}))
    assert begun.text == (tmp_path / "lamp.yaml").read_text(encoding="utf-8")
    assert ["lamp.yaml", "main.py"] == sorted(each.name for each in tmp_path.iterdir())
    assert check(begun.text).warnings == begun.warnings or begun.found


def test_a_spec_that_is_there_is_left_alone(tmp_path: Path) -> None:
    """Without --force an existing spec is not touched."""
    folder(tmp_path, {"lamp.yaml": "mine", "main.py": FASTAPI})
    with pytest.raises(UserError) as caught:
        init(tmp_path)
    assert ("spec-exists", "mine") == (caught.value.code, (tmp_path / "lamp.yaml").read_text())


def test_force_writes_anew(tmp_path: Path) -> None:
    """With --force it is written over."""
    init(folder(tmp_path, {"lamp.yaml": "mine", "main.py": FASTAPI}), force=True)
    assert "mine" != (tmp_path / "lamp.yaml").read_text()


def test_no_folder(tmp_path: Path) -> None:
    """A folder that is not there is the user's to mend."""
    with pytest.raises(UserError) as caught:
        init(tmp_path / "nowhere")
    assert "no-folder" == caught.value.code


def test_what_cannot_be_written(tmp_path: Path) -> None:
    """Where the file cannot be put, that is a fault of the machine, and no draft is left behind."""
    folder(tmp_path, {"main.py": FASTAPI, "lamp.yaml/in": "the way"})
    with pytest.raises(EnvironmentFault) as caught:
        init(tmp_path, force=True)
    left = sorted(each.name for each in tmp_path.iterdir())
    assert ("not-writable", ["lamp.yaml", "main.py"]) == (caught.value.code, left)


def test_nothing_is_imported_or_run(tmp_path: Path) -> None:
    """A prototype that does harm when it is imported is only read."""
    harm = "import pathlib\npathlib.Path('harm').touch()\nraise SystemExit(9)\n"
    folder(tmp_path, {"main.py": harm + FASTAPI, "sitecustom.py": harm, "setup.py": harm})
    done = tell(tmp_path, "from pathlib import Path\nfrom lamplighter.app.init import init\ninit(Path())")
    assert (0, "", False) == (done.returncode, done.stderr, (tmp_path / "harm").exists())


def test_no_value_of_a_secret_is_written(tmp_path: Path) -> None:
    """Names from .env, never values: not in the file, not in what is told."""
    files = {"main.py": FASTAPI, ".env": "OPENAI_API_KEY=sk-live-0123456789abcdef\nLEVEL=deep-value\n"}
    begun = init(folder(tmp_path, files))
    assert "openai_api_key: {from: env}" in begun.text
    assert not [each for each in ("sk-live", "deep-value") if each in str(begun)]


def test_what_is_aside_is_not_looked_at(tmp_path: Path) -> None:
    """Environments, hidden folders and links are passed by."""
    files = {f"{each}/main.py": FASTAPI for each in ("venv", ".hidden", "node_modules", "other-env")}
    folder(tmp_path, {**files, "other-env/pyvenv.cfg": ""})
    (tmp_path / "link.py").symlink_to(tmp_path / "venv" / "main.py")
    assert not init(tmp_path).found


def test_a_folder_full_of_files_is_soon_done(tmp_path: Path) -> None:
    """A bound on files and bytes: thousands of modules, one of them huge, do not keep anyone waiting."""
    folder(tmp_path, {f"data{n % 20}/m{n}.py": "x = 1\n" for n in range(2500)})
    folder(tmp_path, {"main.py": FASTAPI, "huge.py": "x = 1\n" * 200_000, "deep.py": "(" * 50_000})
    program = "from pathlib import Path\nfrom lamplighter.app.init import init\nprint(init(Path()).found)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=20, check=False
    )
    assert ("True\n", "") == (done.stdout, done.stderr)
