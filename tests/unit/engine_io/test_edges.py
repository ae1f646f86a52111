"""The loop's edges: what breaks there is told, ends nothing, and is never taken for an answer."""

import asyncio
import gc
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from tests.unit.engine_io.worlds import ListTarget, allow, decision, facts, replica, toy_step

from lamplighter.adapters.clock import VirtualClock
from lamplighter.adapters.ledger import SqliteLedger
from lamplighter.adapters.recordings import SqliteRecordings
from lamplighter.engine.applying import stages
from lamplighter.engine.deciding import decide
from lamplighter.engine.loop import Loop
from lamplighter.engine.observing import blackout
from lamplighter.engine.terms import Pace, Terms
from lamplighter.model.actions import Action, Configure, Forget, Outcome, OutcomeState, Replace, Scale, Shift
from lamplighter.model.errors import EnvironmentFault, FencedError, OwnedError
from lamplighter.model.facts import SOURCES, Facts, Load, Machine, Phase, Source
from lamplighter.model.findings import Finding, Severity
from lamplighter.model.history import History
from lamplighter.model.intents import Down
from lamplighter.model.passes import Inputs, Result
from lamplighter.model.system import System
from lamplighter.ports import Scope

Make = Callable[..., Loop]
FAST = Pace(interval_s=0.05, busy_interval_s=0.02, floor_s=0.01)


@pytest.fixture
def make(clock: VirtualClock, ledger: SqliteLedger, recordings: SqliteRecordings) -> Make:
    """Make a loop on the stores of this test, at a site of its own."""

    def made(target: ListTarget | None = None, **changes: object) -> Loop:
        terms = Terms(system="library", step=toy_step, revalidate=allow, token=7, pace=FAST)
        return Loop(target or ListTarget(), clock, ledger, recordings, replace(terms, **changes))  # type: ignore[arg-type]

    return made


class Failing(ListTarget):
    """A site at which one thing fails with an error of its own."""

    def __init__(self, what: str, error: Exception) -> None:
        super().__init__()
        self.what, self.error = what, error

    async def observe(self, scope: Scope) -> Facts:
        """Tell, or fail."""
        if self.what == "observe":
            raise self.error
        return await super().observe(scope)

    async def apply(self, action: Action, *, action_id: str, token: int) -> Outcome:
        """Do, or fail."""
        if self.what == "apply":
            raise self.error
        return await super().apply(action, action_id=action_id, token=token)


FAULT = EnvironmentFault("no socket", code="target-away")
BUG = ValueError("no such thing")


@pytest.mark.parametrize(
    ("error", "why"), [(FAULT, "target-away: no socket"), (BUG, "ValueError: no such thing")]
)
def test_site_that_cannot_be_looked_at_is_told_and_silent(make: Make, error: Exception, why: str) -> None:
    """Every source has the reason, and so has the log."""
    events: list[tuple[str, dict[str, object]]] = []
    loop = make(Failing("observe", error), log=lambda event, **fields: events.append((event, fields)))
    asyncio.run(loop.once())
    assert loop.seen is not None
    assert {why} == {each.fault for each in loop.seen.inputs.facts.sources.values()}
    assert ("observation-lost", {"why": why}) in events


@pytest.mark.parametrize(
    ("error", "code", "detail"),
    [(FAULT, "target-away", "no socket"), (BUG, "apply-failed", "ValueError: no such thing")],
)
def test_action_that_broke_off_may_have_happened(
    make: Make, error: Exception, code: str, detail: str
) -> None:
    """Its outcome is unknown, with the target's own words."""
    loop = make(Failing("apply", error))
    asyncio.run(loop.once())
    assert [("a-1", "unknown", code, detail)] == [
        (each.action, each.state, each.code, each.detail) for each in loop._outcomes
    ]


def test_check_that_breaks_has_not_passed(make: Make) -> None:
    """Nothing is applied, and the loop goes on."""

    def broken(*_: object) -> None:
        raise BUG

    target = ListTarget()
    loop = make(target, revalidate=broken)
    asyncio.run(loop.once())
    (outcome,) = loop._outcomes
    assert ("refused", "revalidate-failed", []) == (outcome.state, outcome.code, target.applied)
    assert "ValueError: no such thing" == outcome.detail


def test_every_decision_and_every_answer_is_a_line_of_the_log(make: Make) -> None:
    """Who did what and why, and what the target said to it."""
    events: list[tuple[str, dict[str, object]]] = []
    asyncio.run(make(log=lambda event, **fields: events.append((event, fields))).once())
    made = {"action": "a-1", "subject": "search", "controller": "toy", "because": "the test says so"}
    assert [
        ("decision", made),
        ("outcome", {"action": "a-1", "state": "accepted", "code": ""}),
    ] == events


def test_blackout_keeps_who_there_was_and_nothing_that_was_read() -> None:
    """Loads, room and readiness are unknown; an end stays proven."""
    ended = replica(2, phase=Phase.EXITED, in_flight=1)
    known = facts(3.0, replica(1, in_flight=4, memory_bytes=5, cpu=0.5), ended, loads={"search": Load()})
    known = _with(known, machine=Machine(cores=2.0), shares={"search": {"r-1": 1.0}}, configured="c")
    dark = blackout(known, 9.0, "later", "gone")
    assert (9.0, "later", {}, Machine()) == (dark.at, dark.wall, dark.loads, dark.machine)
    assert dict.fromkeys(SOURCES, Source(observed_at=3.0, fault="gone")) == dark.sources
    assert (replica(1, phase=Phase.UNKNOWN, ready=None), ended) == dark.replicas
    assert (known.shares, "c") == (dark.shares, dark.configured)


def test_blackout_from_the_beginning_knows_nothing() -> None:
    """Before anything was seen every source is silent since now; one that was never heard likewise."""
    silent = dict.fromkeys(SOURCES, Source(observed_at=9.0, fault="gone"))
    assert Facts(at=9.0, wall="w", sources=silent) == blackout(None, 9.0, "w", "gone")
    assert silent == blackout(Facts(at=1.0), 9.0, "w", "gone").sources


def _with(known: Facts, **changes: object) -> Facts:
    from msgspec.structs import replace as changed  # noqa: PLC0415 - beside the one of dataclasses

    return changed(known, **changes)


def test_step_that_fails_decides_nothing_and_says_where() -> None:
    """The history stays, each intent is refused with the reason, and a person can look up the inputs."""
    history, inputs = History(acts=3), Inputs(now=5.0, facts=Facts(at=5.0), intents=(Down(id="d-1"),))

    def broken(_history: History, _inputs: Inputs) -> tuple[History, Result]:
        raise ValueError("no such thing")

    after, result = decide(broken, history, inputs)
    (finding,), (answer,) = result.findings, result.answers
    why = "ValueError in broken: no such thing"
    assert history is after
    assert ("pass-failed", "engine", Severity.URGENT) == (finding.kind, finding.subject, finding.severity)
    assert ((f"inputs at {5:.3f}",), True) == (finding.evidence.looked_at, finding.message.endswith(why))
    assert ("d-1", False, "pass-failed", why) == (answer.intent, answer.accepted, answer.code, answer.detail)


def test_record_that_fails_too_late_disturbs_nobody(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its error comes when nobody waits for it any more; the interpreter has nothing to complain of."""
    go, complaints = threading.Event(), list[object]()

    def late(*_: object) -> int:
        go.wait(10)
        raise BUG

    async def scenario(threads: ThreadPoolExecutor) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))
        loop = make(threads=threads, pace=replace(FAST, record_deadline_s=0.05))
        monkeypatch.setattr(loop._records, "write", late)
        await loop.once()
        go.set()
        await asyncio.to_thread(threads.shutdown)
        await asyncio.sleep(0.02)
        gc.collect()

    with ThreadPoolExecutor(1) as threads:
        asyncio.run(scenario(threads))
    assert [] == complaints


ON = {name: Scale(workload=name, release="r", replicas=1) for name in ("a", "b")}
SWAP = Replace(workload="a", release="r", replica="a-1", start="a-2")
MOVE = Shift(workload="b", shares={"r": 1.0})
SET, TIDY = Configure(system=System(name="s")), Forget(replicas=("a-1",))


@pytest.mark.parametrize(
    ("actions", "groups"),
    [
        ([ON["a"], ON["b"], SWAP, MOVE], ["02/13"]),
        ([SET, ON["a"], ON["b"]], ["0", "1/2"]),
        ([ON["a"], TIDY, SWAP], ["0", "1", "2"]),
        ([ON["a"], SET, TIDY], ["0", "1", "2"]),
        ([], []),
    ],
)
def test_what_touches_the_whole_site_stands_alone(actions: list[Action], groups: list[str]) -> None:
    """One workload's actions are done in order, workloads side by side, the site's between them."""
    made = [decision(str(number), 1.0, action) for number, action in enumerate(actions)]
    staged = ["/".join("".join(each.id for each in chain) for chain in stage) for stage in stages(made)]
    assert groups == staged


def test_busy_loop_looks_again_soon_and_an_idle_one_takes_its_time(make: Make) -> None:
    """While something is on its way the next pass comes after the shorter interval."""
    target = ListTarget()
    loop = make(target, pace=Pace(interval_s=30.0, busy_interval_s=0.01, floor_s=0.0))

    async def scenario() -> int:
        running = asyncio.create_task(loop.run())
        async with asyncio.timeout(20):
            while len(target.replicas) < 3 or loop._busy():  # noqa: ASYNC110 - the loop has no event for it
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)
            seen = target.observed
            await asyncio.sleep(0.3)
        loop.stop()
        await running
        return target.observed - seen

    assert asyncio.run(scenario()) <= 1


def test_answer_makes_the_next_pass_come_at_once(make: Make) -> None:
    """What was done may call for more: three actions one after the other, though the interval is long."""
    target = ListTarget()
    loop = make(target, pace=Pace(interval_s=60.0, busy_interval_s=60.0, floor_s=0.0))

    async def scenario() -> None:
        running = asyncio.create_task(loop.run())
        async with asyncio.timeout(20):
            while len(target.replicas) < 3:  # noqa: ASYNC110 - the loop has no event for it
                await asyncio.sleep(0.01)
        loop.stop()
        await running

    asyncio.run(scenario())
    assert ["a-1", "a-2", "a-3"] == [name for name, _, _ in target.applied]


def test_pace_of_a_maintainer() -> None:
    """A look each second, five while something is on its way; facts a second old are read again."""
    pace = Pace()
    assert (1.0, 0.2, 0.1, 1.0) == (pace.interval_s, pace.busy_interval_s, pace.floor_s, pace.fresh_s)
    assert (5.0, 10.0, 20.0) == (pace.observe_deadline_s, pace.apply_deadline_s, pace.record_deadline_s)


def test_trouble_shows_in_what_was_seen_last(make: Make) -> None:
    """Whoever looks need not wait for the next pass."""
    loop = make()
    asyncio.run(loop.once())
    trouble = Finding(kind="disk-full", subject="engine", message="no room")
    loop._trouble(trouble)
    assert loop.seen is not None
    assert (trouble,) == loop.seen.troubles
    loop._trouble()
    assert () == loop.seen.troubles


def test_lease_that_is_lost_right_before_an_action_leaves_it_undone(make: Make) -> None:
    """It was held when the pass began and when it was recorded; a newer maintainer goes on."""
    target, answers = ListTarget(), iter([True, True, True, False])
    with pytest.raises(OwnedError) as caught:
        asyncio.run(make(target, held=lambda: next(answers)).once())
    assert ("lease-lost", []) == (caught.value.code, target.applied)
    assert caught.value.mend


def test_lease_that_is_lost_while_a_pass_is_written_leaves_its_orders_without_an_answer(make: Make) -> None:
    """A successor that had begun before the record was there knows nothing of them: they are asked again."""
    target, answers = ListTarget(), iter([True, True, False])

    async def scenario() -> bool:
        loop = make(target, held=lambda: next(answers))
        answer = loop.submit(Down(id="i-1"))
        with pytest.raises(OwnedError):
            await loop.once()
        return answer.done()

    assert (False, []) == (asyncio.run(scenario()), target.applied)


def test_who_does_not_wait_for_an_answer_any_more_disturbs_nobody(make: Make) -> None:
    """A caller that hung up is passed over, and the next one gets its own answer."""

    async def scenario() -> bool:
        loop = make()
        gone, there = (loop.submit(Down(id=each)) for each in ("d-1", "d-2"))
        gone.cancel()
        await loop.once()
        return ("d-2", True) == (there.result().intent, there.result().accepted)

    assert asyncio.run(scenario())


class Answering(ListTarget):
    """A site that answers for an action of its own invention."""

    def __init__(self, state: OutcomeState) -> None:
        super().__init__()
        self.state = state

    async def apply(self, *_: object, **__: object) -> Outcome:
        """Answer so, with a code that counts only where it is refused."""
        return Outcome(action="odd", state=self.state, at=0.0, code="fenced")


def test_answer_is_to_what_was_asked(make: Make) -> None:
    """Whatever action a site says that it is for; only a refusal can be fenced."""
    loop = make(Answering("accepted"))
    asyncio.run(loop.once())
    assert [("a-1", "accepted")] == [(each.action, each.state) for each in loop._outcomes]
    with pytest.raises(FencedError):
        asyncio.run(make(Answering("refused")).once())


def test_loop_whose_pass_failed_does_not_hurry(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """With something under way the next pass comes soon, but not after one that failed."""
    loop = make()
    loop._outcomes = (Outcome(action="a-1", state="accepted", at=0.0),)
    hurries, troubles = [loop._busy()], [*loop._troubles]
    for error in (BUG, None):

        async def once(error: Exception | None = error) -> None:
            if error is not None:
                raise error

        monkeypatch.setattr(loop, "once", once)
        asyncio.run(loop._once_whatever_happens())
        hurries.append(loop._busy())
        troubles += loop._troubles
    assert [True, False, True] == hurries
    why = "ValueError: no such thing"
    assert [Finding(kind="pass-failed", subject="engine", message=why, severity=Severity.URGENT)] == troubles
