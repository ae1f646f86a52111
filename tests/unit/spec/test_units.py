"""Quantities, there and back."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamplighter.model.system import Money
from lamplighter.spec import calendar, units
from lamplighter.spec.units import Misfit


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("300ms", 0.3),
        ("30s", 30.0),
        ("2m", 120.0),
        ("4h", 14_400.0),
        ("30d", 2_592_000.0),
        ("2w", 1_209_600.0),
        ("1.5h", 5400.0),
        ("50us", 5e-5),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    """A number and a unit are seconds, exactly."""
    assert seconds == units.duration(text)


@pytest.mark.parametrize(
    ("text", "count"), [("512Mi", 2**29), ("1G", 10**9), ("1.5Ki", 1536), ("7B", 7), ("2 MB", 2 * 10**6)]
)
def test_sizes(text: str, count: int) -> None:
    """Binary units are 1024 each, decimal ones 1000."""
    assert count == units.size(text)


@pytest.mark.parametrize(
    ("text", "share"), [("5%", 0.05), ("99.9%", 0.999), ("100%", 1.0), ("0.01%", 0.0001)]
)
def test_percentages(text: str, share: float) -> None:
    """99.9% is the float nearest to 0.999, not a neighbour."""
    assert share == units.percentage(text)


@pytest.mark.parametrize("text", ["", "5", "5 parsecs", "-5s", "1e9s", "5 s s", "NaNs", "9999999w", "٣s"])
def test_what_is_no_duration(text: str) -> None:
    """Anything else is refused."""
    with pytest.raises(Misfit):
        units.duration(text)


@given(st.integers(0, 10**9), st.sampled_from(["us", "ms", "s"]))
def test_a_duration_prints_back(number: int, unit: str) -> None:
    """Whatever was read prints as something that reads the same."""
    seconds = units.duration(f"{number}{unit}")
    assert seconds == units.duration(units.duration_text(seconds))


@given(st.integers(0, 2**50))
def test_a_size_prints_back(count: int) -> None:
    """Bytes survive printing."""
    assert count == units.size(units.size_text(count))


@given(st.decimals(0, 100, places=6))
def test_a_percentage_prints_back(number: Decimal) -> None:
    """Shares survive printing, digit by digit."""
    share = units.percentage(f"{number}%")
    assert share == units.percentage(units.percentage_text(share))


@given(st.decimals(0, 10**9, places=4), st.sampled_from(["hour", "day", "week", "month"]))
def test_money_prints_back(number: Decimal, per: str) -> None:
    """Limits survive printing."""
    limit = Money(usd=float(number), per=per)
    assert limit == units.money(units.money_text(limit))


@given(st.integers(0, 10_079), st.integers(0, 10_079))
def test_a_freeze_window_prints_back(start: int, end: int) -> None:
    """Minutes of the week survive printing; an empty window is refused."""
    window = calendar.Freeze(start_min=start, end_min=end)
    text = calendar.freeze_text(window)
    if start == end:
        with pytest.raises(Misfit):
            calendar.freeze(text)
    else:
        assert (start, end) == (calendar.freeze(text).start_min, calendar.freeze(text).end_min)


@pytest.mark.parametrize(
    "text", ["0 2 * * *", "*/5 0-6/2 1,15 jan-mar MON-fri", "0 0 29 2 *", "5 4 31 2 1", "* * * * 7"]
)
def test_schedules(text: str) -> None:
    """What crontab(5) takes is taken."""
    assert text == calendar.schedule(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "* * * *",
        "60 * * * *",
        "*/0 * * * *",
        "0 0 31 2 *",
        "5-1 * * * *",
        "0 0 * 13 *",
        "0 0 0 * *",
        "*-5 * * * *",
        "a * * * *",
    ],
)
def test_what_is_no_schedule(text: str) -> None:
    """Wrong counts, ranges, strides, and days that never come are refused."""
    with pytest.raises(Misfit):
        calendar.schedule(text)


@given(st.text())
def test_any_text_is_taken_or_refused(text: str) -> None:
    """No quantity knows another way out than a value or a misfit."""
    for take in (
        units.duration,
        units.size,
        units.percentage,
        units.money,
        units.number,
        calendar.schedule,
        calendar.freeze,
    ):
        try:
            take(text)
        except Misfit:
            continue
