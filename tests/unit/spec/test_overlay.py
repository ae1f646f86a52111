"""A partial spec laid over a whole one."""

import pytest

from lamplighter.model.errors import SpecError
from lamplighter.model.system import Range, Run
from lamplighter.spec import overlay, parse

from .specs import LIBRARY


def test_one_number_changes_and_nothing_else() -> None:
    """A policy of one line is that line."""
    over = overlay(LIBRARY, "services: {search: {replicas: {max: 20}}}")
    assert Range(min=2, max=20) == over.services["search"].replicas
    assert parse(LIBRARY) == overlay(over, "services: {search: {replicas: {max: 10}}}")


def test_a_system_serves_as_well_as_its_text() -> None:
    """A recorded system can be laid over too."""
    text = "guards: {actions: 7}"
    assert overlay(LIBRARY, text) == overlay(parse(LIBRARY), text)


def test_null_takes_back() -> None:
    """Null gives a key its default; lists are replaced whole."""
    over = overlay(LIBRARY, "budget: null\nfreeze: []\nservices: {search: {objective: null}}")
    assert (None, (), None) == (over.budget, over.freeze, over.services["search"].objective)


def test_another_way_to_run() -> None:
    """Another way to run takes the place of the first."""
    over = overlay(LIBRARY, "services: {model: {app: 'm:app'}}")
    assert Run(kind="app", value="m:app") == over.services["model"].run


def test_a_fault_names_the_file_that_it_is_in() -> None:
    """Each part keeps the place where it was written."""
    with pytest.raises(SpecError) as caught:
        overlay(LIBRARY, "services:\n  search: {replicas: {min: 30}, drian: 3s}", over_file="thrifty.yaml")
    assert [("thrifty.yaml", 2, 28, "min-above-max"), ("thrifty.yaml", 2, 33, "unknown-key")] == [
        (each.file, each.line, each.column, each.code) for each in caught.value.faults()
    ]


def test_an_overlay_that_is_no_mapping() -> None:
    """A list laid over a spec is refused, not taken for one."""
    with pytest.raises(SpecError) as caught:
        overlay(LIBRARY, "[1]")
    assert ["wrong-type"] == [each.code for each in caught.value.faults()]


def test_an_overlay_breaks_what_the_spec_says_elsewhere() -> None:
    """Taking a workload away leaves others needing it; the fault stands where it is needed."""
    with pytest.raises(SpecError) as caught:
        overlay(LIBRARY, "services: {model: null}")
    assert [("lamp.yaml", "unknown-workload")] * 2 == [
        (each.file, each.code) for each in caught.value.faults()
    ]
