"""The contract: what every target must do, whatever it runs on. One suite, run by each target's tests.

    class TestMine(TargetContract):
        @pytest.fixture
        def trial(self) -> Iterator[Trial]: ...

Knows `ports.Target` alone; what differs between targets (how time passes, how a replica is killed) is in
the `Trial` that a target's tests make.
"""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

import pytest

from lamplighter.model.actions import Action, Configure, Dismantle, Forget, Outcome, Replace, Scale, Shift
from lamplighter.model.facts import HEALTH, PROCESSES, TRAFFIC, Facts, Phase, Replica
from lamplighter.model.system import System
from lamplighter.model.value import Instant, digest
from lamplighter.ports import Scope, Target

WORKLOAD = "web"
TAKEN = ("done", "accepted")
LOOK_S = 0.05
WITHIN_S = 20.0
DRAIN_S = 5.0
SAME_S = 0.1
"""Clocks that are converted into each other may differ by so much."""

T = TypeVar("T")


class Trial(ABC):
    """A target on trial, with a system of one workload, `web`, and a release of it that works."""

    target: Target
    system: System
    release: str

    def __init__(self) -> None:
        """Begin with nothing running."""
        self.token = 1
        self._numbers = itertools.count(1)

    @abstractmethod
    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end, always on the same event loop."""

    @abstractmethod
    def now(self) -> Instant:
        """Return the instant."""

    @abstractmethod
    async def pause(self, seconds: float) -> None:
        """Let time pass."""

    @abstractmethod
    async def kill(self, replica: Replica) -> None:
        """End a replica without the target's doing."""

    async def act(self, action: Action, *, name: str = "", token: int = 0) -> Outcome:
        """Apply an action, under an id of its own if none is given."""
        action_id = name or f"a-{next(self._numbers)}"
        return await self.target.apply(action, action_id=action_id, token=token or self.token)

    async def facts(self) -> Facts:
        """Observe once."""
        return await self.target.observe(Scope(system=self.system.name, now=self.now()))

    async def until(self, holds: Callable[[Facts], bool], within_s: float = WITHIN_S) -> Facts:
        """Observe until something holds."""
        deadline = self.now() + within_s
        facts = await self.facts()
        while not holds(facts):
            assert self.now() < deadline, f"not within {within_s:g} s: {facts}"
            await self.pause(LOOK_S)
            facts = await self.facts()
        return facts

    async def starting(self, *names: str) -> Outcome:
        """Start replicas."""
        return await self.act(
            Scale(workload=WORKLOAD, release=self.release, replicas=len(names), starts=names, drain_s=DRAIN_S)
        )

    async def stopping(self, *names: str) -> Outcome:
        """Drain and end replicas."""
        return await self.act(
            Scale(workload=WORKLOAD, release=self.release, replicas=0, stops=names, drain_s=DRAIN_S)
        )

    async def serving(self, *names: str) -> Facts:
        """Have replicas that pass their checks."""
        await self.act(Configure(system=self.system))
        await self.starting(*names)
        return await self.until(lambda facts: all(_find(facts, each).ready for each in names))

    async def phase(self, name: str, phase: Phase) -> Replica:
        """Wait until a replica is in a phase."""
        return _find(await self.until(lambda facts: _find(facts, name).phase is phase), name)


class TargetContract:
    """What holds for every target."""

    @pytest.fixture
    def trial(self) -> Iterator[Trial]:
        """Return a target on trial; ends everything it started."""
        raise NotImplementedError

    def test_nothing_there_is_known_not_silent(self, trial: Trial) -> None:
        """Where nothing runs, every source says so."""
        facts = trial.run(trial.facts())
        silent = [each for each in (PROCESSES, HEALTH, TRAFFIC) if facts.silence(each, facts.at)]
        assert (silent, facts.replicas, facts.configured) == ([], (), "")

    def test_a_snapshot_bears_the_instant_it_was_asked_at(self, trial: Trial) -> None:
        """Facts are stamped with the scope's instant, and no source is dated after it was read."""
        at = trial.now()
        facts = trial.run(trial.target.observe(Scope(system=trial.system.name, now=at, wall="label")))
        assert (at, "label") == (facts.at, facts.wall)
        assert all(each.observed_at <= trial.now() for each in facts.sources.values())

    def test_configuring_shows_the_digest_and_starts_nothing(self, trial: Trial) -> None:
        """Facts bear the digest of the system that the target was configured with last."""
        outcome = trial.run(trial.act(Configure(system=trial.system)))
        facts = trial.run(trial.until(lambda each: each.configured != ""))
        assert outcome.state in TAKEN
        assert (digest(trial.system), ()) == (facts.configured, facts.replicas)

    def test_replicas_start_under_their_names(self, trial: Trial) -> None:
        """Exactly the replicas that were named are started, and become ready."""
        facts = trial.run(trial.serving("web-1", "web-2"))
        seen = [(each.id, each.workload, each.release, each.phase) for each in facts.of(WORKLOAD)]
        live = (WORKLOAD, trial.release, Phase.RUNNING)
        assert [("web-1", *live), ("web-2", *live)] == sorted(seen)

    def test_an_outcome_bears_its_action(self, trial: Trial) -> None:
        """An answer names the action that it is an answer to."""
        outcome = trial.run(trial.act(Configure(system=trial.system), name="a-mine"))
        assert outcome.action == "a-mine"

    def test_the_same_action_twice_acts_once(self, trial: Trial) -> None:
        """A repeat under the same id gets the same answer and starts nothing more."""
        scale = Scale(workload=WORKLOAD, release=trial.release, replicas=1, starts=("web-1",))
        trial.run(trial.act(Configure(system=trial.system)))
        first = trial.run(trial.act(scale, name="a-once"))
        trial.run(trial.phase("web-1", Phase.RUNNING))
        again = trial.run(trial.act(scale, name="a-once"))
        facts = trial.run(trial.facts())
        assert (first.state, 1) == (again.state, len(facts.replicas))

    def test_a_name_is_started_once(self, trial: Trial) -> None:
        """Another action that starts a known replica does not double it."""
        before = _find(trial.run(trial.serving("web-1")), "web-1")
        trial.run(trial.starting("web-1"))
        after = _find(trial.run(trial.facts()), "web-1")
        assert before.pid == after.pid
        assert after.started_at - before.started_at < SAME_S

    def test_a_stopped_replica_drains_then_is_proven_gone(self, trial: Trial) -> None:
        """What is stopped leaves the balancer and ends; the others are left alone."""
        trial.run(trial.serving("web-1", "web-2"))
        trial.run(trial.stopping("web-1"))
        leaving = _find(trial.run(trial.facts()), "web-1")
        ended = trial.run(trial.phase("web-1", Phase.EXITED))
        other = _find(trial.run(trial.facts()), "web-2")
        assert leaving.phase in (Phase.DRAINING, Phase.EXITED)
        assert (ended.live, other.phase, other.ready) == (False, Phase.RUNNING, True)
        assert ended.exit is not None

    def test_stopping_what_is_gone_changes_nothing(self, trial: Trial) -> None:
        """An end that is reached already is not an error."""
        trial.run(trial.serving("web-1"))
        trial.run(trial.stopping("web-1"))
        trial.run(trial.phase("web-1", Phase.EXITED))
        outcome = trial.run(trial.stopping("web-1", "web-9"))
        assert outcome.state in TAKEN

    def test_a_killed_replica_is_proven_gone_and_not_revived(self, trial: Trial) -> None:
        """A replica that ends by itself is seen to have ended, and stays so."""
        alive = _find(trial.run(trial.serving("web-1")), "web-1")
        trial.run(trial.kill(alive))
        ended = trial.run(trial.phase("web-1", Phase.EXITED))
        trial.run(trial.pause(1.0))
        facts = trial.run(trial.facts())
        assert (ended.ready is True, _find(facts, "web-1").phase) == (False, Phase.EXITED)
        assert len(facts.replicas) == 1

    def test_a_dead_replica_is_replaced_by_one_of_its_release(self, trial: Trial) -> None:
        """Replace starts the one that was named; the record of the dead one stays as evidence."""
        alive = _find(trial.run(trial.serving("web-1")), "web-1")
        trial.run(trial.kill(alive))
        trial.run(trial.phase("web-1", Phase.EXITED))
        trial.run(trial.act(_replacing(trial)))
        facts = trial.run(trial.until(lambda each: _find(each, "web-2").ready is True))
        assert (Phase.EXITED, trial.release) == (_find(facts, "web-1").phase, _find(facts, "web-2").release)

    def test_a_live_replica_is_replaced_by_drain(self, trial: Trial) -> None:
        """Replace ends what is left of a replica, and not before its successor was started."""
        trial.run(trial.serving("web-1"))
        trial.run(trial.act(_replacing(trial)))
        trial.run(trial.phase("web-1", Phase.EXITED))
        facts = trial.run(trial.until(lambda each: _find(each, "web-2").ready is True))
        assert [each.id for each in facts.of(WORKLOAD) if each.live] == ["web-2"]

    def test_shares_are_as_they_were_set(self, trial: Trial) -> None:
        """The shares of traffic that were set last are seen."""
        trial.run(trial.serving("web-1"))
        outcome = trial.run(trial.act(Shift(workload=WORKLOAD, shares={trial.release: 1.0})))
        facts = trial.run(trial.until(lambda each: bool(each.shares.get(WORKLOAD))))
        assert outcome.state in TAKEN
        assert {trial.release: 1.0} == facts.shares[WORKLOAD]

    def test_an_older_token_is_fenced(self, trial: Trial) -> None:
        """Once a newer maintainer has acted, an older one is refused and changes nothing."""
        trial.run(trial.act(Configure(system=trial.system), token=5))
        scale = Scale(workload=WORKLOAD, release=trial.release, replicas=1, starts=("web-1",))
        outcome = trial.run(trial.act(scale, token=4))
        facts = trial.run(trial.facts())
        assert (outcome.state, outcome.code, facts.replicas) == ("refused", "fenced", ())

    def test_a_newer_token_takes_over(self, trial: Trial) -> None:
        """A successor acts on what its predecessor has started."""
        trial.run(trial.serving("web-1"))
        trial.token += 1
        trial.run(trial.stopping("web-1"))
        ended = trial.run(trial.phase("web-1", Phase.EXITED))
        assert not ended.live

    def test_only_what_has_ended_is_forgotten(self, trial: Trial) -> None:
        """Forget drops the records of ended replicas, and never one that lives."""
        trial.run(trial.serving("web-1", "web-2"))
        trial.run(trial.stopping("web-1"))
        trial.run(trial.phase("web-1", Phase.EXITED))
        trial.run(trial.act(Forget(replicas=("web-1", "web-2"))))
        facts = trial.run(trial.until(lambda each: len(each.replicas) == 1))
        assert [(each.id, each.live) for each in facts.replicas] == [("web-2", True)]

    def test_requests_in_flight_and_loads_are_seen(self, trial: Trial) -> None:
        """A replica that serves has a number of requests in flight, and its workload a load."""
        trial.run(trial.serving("web-1"))
        facts = trial.run(trial.until(lambda each: _find(each, "web-1").in_flight is not None))
        assert facts.loads[WORKLOAD].in_flight is not None

    def test_dismantling_leaves_nothing(self, trial: Trial) -> None:
        """Everything of the system ends, the gateway last, and nothing is known of it any more."""
        trial.run(trial.serving("web-1"))
        outcome = trial.run(trial.act(Dismantle(system=trial.system.name, grace_s=2.0)))
        facts = trial.run(trial.until(lambda each: not each.replicas and not each.configured))
        again = trial.run(trial.act(Dismantle(system=trial.system.name, grace_s=2.0)))
        assert (facts.shares, outcome.state in TAKEN, again.state in TAKEN) == ({}, True, True)


def _replacing(trial: Trial) -> Replace:
    return Replace(workload=WORKLOAD, release=trial.release, replica="web-1", start="web-2", drain_s=DRAIN_S)


def _find(facts: Facts, name: str) -> Replica:
    """Return a replica, or one of which nothing is known."""
    unseen = Replica(id=name, workload=WORKLOAD, release="", phase=Phase.UNKNOWN, started_at=0.0)
    return next((each for each in facts.replicas if each.id == name), unseen)
