"""When `lamp up` has come to its end, and what it tells: every service's fate, whichever way it went."""

from typing import Any

import pytest
from msgspec.structs import replace

from lamplighter.app.upkeep import GivenUpError, deployed
from lamplighter.app.views import Status, WorkloadView
from lamplighter.model.findings import Finding
from lamplighter.model.history import RolloutState
from lamplighter.model.system import Range, Run, Service, System

RELEASES = {"api": "a-2", "web": "w-2"}


def system(**needs: tuple[str, ...]) -> System:
    """Return a system of two services."""
    run = Run(kind="app", value="m:app")
    return System(
        name="two",
        services={name: Service(name=name, run=run, needs=needs.get(name, ())) for name in RELEASES},
    )


def view(name: str, stable: str, ready: int = 2, verdict: Any = "", reason: str = "") -> WorkloadView:
    """Return how a service stands that is on its way to its new release, or was."""
    rollout = RolloutState(candidate=RELEASES[name], stable=stable, verdict=verdict, reason=reason)
    wanted = {stable or RELEASES[name]: 2}
    return WorkloadView(name=name, kind="service", stable=stable, wanted=wanted, ready=ready, rollout=rollout)


def standing(*views: WorkloadView, wanted: System | None = None) -> tuple[bool, str]:
    """Return what `lamp up` makes of it."""
    return deployed(
        wanted or system(), RELEASES, Status(system="two", live=True, at=0.0, wall="", workloads=views)
    )


WEB_GIVEN_UP = view("web", "w-1", verdict="failed", reason="it crashed")


def test_all_on_their_releases_is_the_end() -> None:
    """Every service is on its release with all that is wanted ready."""
    assert (True, "") == standing(view("api", "a-2"), view("web", "w-2"))


def test_the_others_are_waited_for_when_one_is_given_up() -> None:
    """One that was given up does not end the wait while another is on its way."""
    assert (False, "api is on its way to a-2") == standing(view("api", "a-1"), WEB_GIVEN_UP)


def test_each_ones_fate_is_told() -> None:
    """Once all have settled, the one that was given up is the fault, and the others are told with it."""
    with pytest.raises(GivenUpError) as caught:
        standing(view("api", "a-2"), WEB_GIVEN_UP)
    (fault,) = caught.value.faults()
    assert "release w-2 of web was given up: it crashed; api is on a-2, 2 ready" == fault.message
    assert ("rollout-failed", True) == (fault.code, "lamp logs web" in fault.mend)


def test_two_that_were_given_up_are_two_faults() -> None:
    """Each has its own mend."""
    with pytest.raises(GivenUpError) as caught:
        standing(view("api", "a-1", verdict="failed", reason="slow"), WEB_GIVEN_UP)
    assert [True, True] == [
        f"lamp logs {n}" in f.mend for n, f in zip(RELEASES, caught.value.faults(), strict=True)
    ]


def test_what_has_gone_to_zero_already_is_there() -> None:
    """A service may have been tried, found idle and taken to zero between two looks."""
    asleep = WorkloadView(name="web", kind="service", stable="w-2", wanted={"w-2": 0})
    assert (True, "") == standing(view("api", "a-2"), asleep)


def test_what_does_not_stay_up_is_not_waited_for() -> None:
    """A first release that repair has handed to a person ends the wait, whatever is under way for it."""
    never = WorkloadView(name="web", kind="service", wanted={"w-2": 1}, ready=0)
    finding = Finding(kind="needs-a-person", subject="web", message="5 repairs did not last")
    views = (view("api", "a-2"), never)
    status = Status(system="two", live=True, at=0.0, wall="", workloads=views, findings=(finding,))
    with pytest.raises(
        GivenUpError, match="w-2 of web does not stay up: 5 repairs did not last; api is on a-2"
    ):
        deployed(system(), RELEASES, status)


def test_what_needs_one_that_will_not_come_is_not_waited_for() -> None:
    """A first release that is given up leaves nothing ready, so what needs it waits for ever; it is said."""
    none = view("web", "", ready=0, verdict="failed", reason="it crashed")
    waiting = WorkloadView(name="api", kind="service", wanted={}, ready=0)
    with pytest.raises(GivenUpError, match="api waits for web"):
        standing(waiting, none, wanted=system(api=("web",)))


def test_a_service_at_zero_has_come_to_its_end() -> None:
    """One that may rest at zero and does is as it is wanted, also for what needs it."""
    wanted = system(api=("web",))
    web = replace(wanted.services["web"], replicas=Range(min=0, max=2))
    wanted = replace(wanted, services={**wanted.services, "web": web})
    resting = WorkloadView(name="web", kind="service", stable="w-2", wanted={"w-2": 0}, ready=0)
    assert (True, "") == standing(view("api", "a-2"), resting, wanted=wanted)
    assert (False, "api is on its way to a-2") == standing(view("api", "a-1"), resting, wanted=wanted)
