"""The commands `python -m benchmarks` and `python -m benchmarks.load`, as processes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import benchmarks
import pytest
from benchmarks.__main__ import main

ROOT = Path(__file__).resolve().parents[3]

BENCHMARK = '''"""Counts to three."""
from benchmarks.report import Figures, Options, at_most

PARTS = {"count": "counts", "fail": "breaks off"}

async def run(options: Options) -> Figures:
    figures = options.figures
    if options.wants("count"):
        options.progress("counting")
        figures.put("counted", 2 if options.quick else 3, at_most(2))
    if "fail" in options.only:
        raise OSError("broke off")
    return figures
'''


@pytest.fixture
def counting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A benchmark named `zz_counting`, found beside the real ones."""
    (tmp_path / "zz_counting.py").write_text(BENCHMARK)
    monkeypatch.setattr(benchmarks, "__path__", [*benchmarks.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "benchmarks.zz_counting", raising=False)
    return tmp_path


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a module as a command."""
    return subprocess.run(
        [sys.executable, "-m", *arguments], capture_output=True, text=True, cwd=ROOT, timeout=60, check=False
    )


def test_unknown_benchmark_is_suggested(counting: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A name that does not exist ends with code 2 and the nearest one there is."""
    assert 2 == main(["zz_countnig"])
    assert "Did you mean 'zz_counting'?" in capsys.readouterr().err


def test_unknown_part_is_suggested(counting: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """So does a part."""
    assert 2 == main(["zz_counting", "--only", "cuont"])
    assert "Did you mean 'count'?" in capsys.readouterr().err


@pytest.mark.parametrize(("quick", "code"), [(["--quick"], 0), ([], 1)])
def test_exit_code_says_whether_targets_hold(counting: Path, quick: list[str], code: int) -> None:
    """A benchmark whose targets hold ends with 0, otherwise with 1; the JSON has the figures either way."""
    file = counting / "out.json"
    assert code == main(["zz_counting", *quick, "--json", str(file), "--seed", "9"])
    document = json.loads(file.read_text())
    assert (9, {"counted": 3 - len(quick)}) == (document["seed"], document["figures"])


def test_figures_survive_a_part_that_breaks_off(counting: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was measured before an error is still shown and written."""
    with pytest.raises(OSError, match="broke off"):
        main(["zz_counting", "--only", "count,fail", "--json", str(counting / "out.json")])
    assert {"counted": 3} == json.loads((counting / "out.json").read_text())["figures"]
    assert "counted" in capsys.readouterr().out


def test_list_shows_benchmarks_and_parts(counting: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--list` has a line for each benchmark and part, and none for the kit."""
    assert 0 == main(["--list"])
    listed = capsys.readouterr().out
    assert "zz_counting: Counts to three.\n  count: counts" in listed
    assert "\nload:" not in listed


def test_missing_data_folder_is_refused(counting: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A data folder that does not exist is a mistake of the command line."""
    assert 2 == main(["zz_counting", "--data", str(counting / "nowhere")])
    assert "is not a folder" in capsys.readouterr().err


def test_help_has_an_example() -> None:
    """`--help` of both commands shows how to use them."""
    assert "python -m benchmarks local" in command("benchmarks", "--help").stdout
    assert "python -m benchmarks.load http" in command("benchmarks.load", "--help").stdout


def test_summary_for_people(scripted: Any) -> None:
    """Without --json a run ends with counts, the first failures and the generator's own figures."""
    done = command(
        "benchmarks.load", scripted.url, "--rate", "20", "--seconds", "0.51", "--spacing", "constant"
    )
    assert (0, "") == (done.returncode, done.stderr.replace("started\n", ""))
    assert "get: 10 ok" in done.stdout


@pytest.mark.parametrize(
    "arguments", [["http://x", "--mix", "put"], ["http://x", "--stages", "5"], [], ["ftp://x"]]
)
def test_bad_command_line_is_code_2(arguments: list[str]) -> None:
    """A wrong command line ends with code 2 and one line that says what is wrong."""
    done = command("benchmarks.load", *arguments)
    assert (2, 1) == (done.returncode, len(done.stderr.splitlines())), done.stderr
