"""Counting what was really carried out."""

from pathlib import Path

from benchmarks.load.executions import count_executions

LINES = """\
began a 10 1.0
done a 10 1.1
began b 10 1.0
began b 11 1.2
done b 11 1.3
began c 10 1.0
done c 10 1.4
began c 11 1.2
done c 11 1.5
began d 10 1.0
don"""


def test_repeated_retaken_and_lost_work_are_told_apart(tmp_path: Path) -> None:
    """Work done twice, work taken up twice and work that never ended are three different things."""
    file = tmp_path / "executions"
    file.write_text(LINES)
    found = count_executions(file)
    assert {"c": 2} == found.repeated
    assert {"b": 2, "c": 2} == found.retaken
    assert {"d"} == found.lost


def test_missing_file_is_no_execution(tmp_path: Path) -> None:
    """A file nobody wrote to counts as empty."""
    assert {} == count_executions(tmp_path / "none").began
