"""The story, in seven chapters: each does something to a running system and waits for what is promised.

A promise that does not come about within its time ends the story; what it came to is told all the same.
"""

import asyncio
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from time import monotonic

import msgspec
from examples.demo import hindsight, leftovers, swarm
from examples.demo.record import Mark, NotHeldError, Record, Repaired
from examples.demo.telling import Teller
from examples.demo.traffic import Answer, Traffic
from examples.demo.watching import Watch, look, ready
from examples.demo.workplace import PRAISE, SERVICE, SWARM, Ran, Tuning, Workplace

from lamplighter.app.views import Status

AT_LEAST, AT_MOST_ASKED = 2, 6
"""The bounds of the example's spec."""
ENOUGH = 4
"""So many replicas at least must serve five times the load."""
SEEN_S = 20.0
SLOW_SEEN_S = 60.0
"""Longest waits for something that takes a few seconds, and for what takes a window of the autoscaler."""
SETTLE_S = 0.5
LEFT_LOOKS = 10
MOVE_S = 0.5


@dataclass(frozen=True, slots=True)
class Pace:
    """How much is asked and how long things are watched.

    Args:
        rate: questions a second to begin with.
        rise: how many times more are asked at the peak.
        calm_s: how long to ask before anything happens, and after each thing.
        high_s: how long to stay at the peak.
        gone_s: how long to be without a maintainer.
        kill_at_peak: kill a second replica under the highest load.
        readers: agents that read the library.
        tuning: of the spec.
    """

    rate: float = 15.0
    rise: float = 5.0
    calm_s: float = 3.0
    high_s: float = 4.0
    gone_s: float = 4.0
    kill_at_peak: bool = True
    readers: int = 3_400
    tuning: Tuning = field(default_factory=Tuning)


FULL = Pace()
QUICK = Pace(calm_s=1.0, high_s=1.0, gone_s=2.0, kill_at_peak=False, readers=1_000, tuning=Tuning(bake_s=1.0))


class Story:
    """One run of it. `record` has what was seen, however it ends."""

    def __init__(self, place: Workplace, pace: Pace, teller: Teller, record: Record) -> None:
        self._place, self._pace = place, pace
        self._teller, self._record = teller, record
        self._watch = Watch(place.state, lambda text: teller.say(text, "dim"))
        self._seen: set[leftovers.Process] = set()
        self.traffic: Traffic | None = None

    async def run(self) -> None:
        """Tell the whole story.

        Raises:
            NotHeldError: a promise did not come about; it has the promise.
        """
        chapters: list[tuple[str, Callable[[], Awaitable[None]]]] = [
            ("The library comes up", self._comes_up),
            ("A replica is killed under load", self._loses_a_replica),
            (f"The load rises {self._pace.rise:g} times, and falls again", self._follows_the_load),
            ("A new release rolls out, and is rolled back", self._releases),
            ("The maintainer is killed, and taken up again", self._loses_its_maintainer),
            ("All that was decided is decided once more", self._replays),
            ("The library goes down", self._goes_down),
            ("A swarm of agents reads the library, and loses a host", self._is_read),
            ("Nothing is left", self._leaves_nothing),
        ]
        self._record.began = self._teller.began
        self._record.began_wall = time.time() - (time.monotonic() - self._teller.began)
        beside = [asyncio.create_task(self._watch.run()), asyncio.create_task(self._moves())]
        try:
            for number, (title, chapter) in enumerate(chapters, start=1):
                self._teller.chapter(number, title)
                await chapter()
                self._seen |= await asyncio.to_thread(leftovers.processes, self._place.folder)
        except NotHeldError:
            if self.traffic:
                await self.traffic.stop()
            raise
        finally:
            for each in beside:
                each.cancel()
            if self.traffic:
                self.traffic.close()
            self._record.looks = self._watch.looks
            self._record.ended = monotonic()

    # --- chapters

    async def _comes_up(self) -> None:
        say = self._teller.say
        say(f"the prototype is examples/library, copied to {self._place.folder}")
        asked = await self._place.run(sys.executable, "-m", "library.questions")
        await self._lamp("up", "-d", "-y")
        await self._watch.until("two replicas serve", lambda seen: ready(seen) == AT_LEAST, SEEN_S)
        self.traffic = Traffic(self._place.port, asked.out.splitlines())
        self.traffic.start(self._pace.rate)
        self._mark("first question")
        say(
            f"2 replicas serve at http://127.0.0.1:{self._place.port}/search; from now on "
            f"{self._pace.rate:g} questions a second are asked, none of them twice"
        )
        await asyncio.sleep(self._pace.calm_s)
        self._note_release()

    async def _loses_a_replica(self) -> None:
        await self._kill_one()
        await asyncio.sleep(self._pace.calm_s)

    async def _follows_the_load(self) -> None:
        pace, began = self._pace, monotonic()
        self._asking.set_rate(pace.rate * pace.rise)
        self._mark(f"load \u00d7{pace.rise:g}")
        self._teller.say(f"{pace.rate * pace.rise:g} questions a second")
        await self._watch.until(f"{ENOUGH} replicas serve", lambda seen: ready(seen) >= ENOUGH, SEEN_S)
        self._teller.say(f"{ENOUGH} replicas serve {monotonic() - began:.1f} s after the rise", "green")
        await asyncio.sleep(pace.high_s)
        if pace.kill_at_peak:
            await self._kill_one()
            await asyncio.sleep(pace.calm_s)
        most = max(sum(each.serving.values()) for each in self._watch.looks)
        self._asking.set_rate(pace.rate)
        self._mark("load falls")
        self._teller.say(f"{pace.rate:g} questions a second again; {most} replicas served at the most")
        await self._watch.until("all but two replicas were drained", _calm, SLOW_SEEN_S)
        self._teller.say("2 replicas serve again; the others were drained before they ended", "green")
        self._record.promise(
            "replicas followed the load", held=ENOUGH <= most <= AT_MOST_ASKED, seen=f"2 to {most} to 2"
        )

    async def _releases(self) -> None:
        new = PRAISE[1].split('"')[3]
        self._place.edit()
        self._teller.say(f"a line of the prototype is changed: every answer is to begin with {new!r}")
        self._mark("new release")
        await self._lamp("up", "-d", "-y")
        await self._answered_with(new, "every answer is by the new release")
        self._note_release()
        self._mark("rollback")
        await self._lamp("rollback", SERVICE)
        await self._answered_with(PRAISE[0].split('"')[3], "every answer is by the release before")
        self._place.edit(back=True)
        self._teller.say("the line is changed back in the prototype, too")
        await self._watch.until("two replicas serve after the rollback", _calm, SLOW_SEEN_S)

    async def _loses_its_maintainer(self) -> None:
        before = await self._status()
        assert before.holder is not None, "a maintainer holds the system"
        os.kill(before.holder.pid, signal.SIGKILL)
        killed = monotonic()
        self._mark("maintainer killed")
        self._teller.say(f"kill -9 {before.holder.pid}: there is no maintainer")
        await asyncio.sleep(self._pace.gone_s)
        without = await self._status()
        self._record.promise("`lamp status` says that there is no maintainer", held=not without.live)
        gone_s = monotonic() - killed
        await self._lamp("up", "-d", "-y")
        self._mark("taken up")
        after = await self._watch.until("two replicas serve", _calm, SLOW_SEEN_S)
        answered = [each for each in self._asking.answers if killed <= each.due < killed + gone_s]
        failed = sum(each.fate.failed for each in answered)
        self._teller.say(f"{len(answered)} questions were asked meanwhile, {failed} failed", "green")
        same = _pids(before) == _pids(after)
        names = ", ".join(f"{name} is pid {pid}" for name, pid in sorted(_pids(after).items()))
        self._record.promise("the same processes were taken up again", held=same, seen=names)
        self._teller.say(f"the replicas are the same processes as before: {names}", "green")
        await asyncio.sleep(self._pace.calm_s)

    async def _replays(self) -> None:
        replayed = hindsight.replayed((await self._lamp("replay", "--json")).out)
        self._record.replayed = replayed
        self._teller.say(
            f"{replayed.decisions} decisions of {replayed.passes} passes were made again in another process; "
            f"{replayed.unlike or 'none'} came out otherwise",
            "green",
        )
        await self._verify()

    async def _goes_down(self) -> None:
        self._seen |= leftovers.processes(self._place.folder)
        await self._asking.stop()
        await self._lamp("down")
        self._record.drawn_until = monotonic()
        await self._replay_from_inputs_alone()
        await self._verify()

    async def _is_read(self) -> None:
        await swarm.read(self._place, self._pace.readers, self._lamp, self._teller.say, self._record)

    async def _leaves_nothing(self) -> None:
        left = await self._left()
        self._record.promise("nothing is left", held=not left, seen="; ".join(left))
        ports = f"ports {self._place.port} and {self._place.swarm_port}"
        looked_for = f"{len(self._seen)} processes, {ports}, sockets, files in memory"
        self._teller.say(f"looked for: {looked_for}; found: {'; '.join(left) or 'nothing'}", "green")

    # --- parts of chapters

    async def _kill_one(self) -> None:
        """Kill the busiest replica and wait for its successor's first answer and for full strength."""
        status = self._watch.status
        assert status is not None, "the system is watched"
        busiest = max((each for each in status.replicas if each.ready), key=lambda each: each.in_flight or 0)
        strength, known = ready(status), set(self._watch.pids)
        assert busiest.pid is not None, "a ready replica has a pid"
        self._teller.say(f"kill -9 {busiest.pid}: {busiest.id}, {busiest.in_flight} questions in flight")
        os.kill(busiest.pid, signal.SIGKILL)
        killed = monotonic()
        self._mark("replica killed")
        try:
            answered = await self._asking.first_answer_of_another(known, SEEN_S)
        except TimeoutError:
            raise NotHeldError(f"{busiest.id} was replaced within {SEEN_S:.0f} s") from None
        self._record.repairs.append(Repaired(busiest.id, busiest.in_flight or 0, answered - killed))
        self._teller.say(f"its successor answers {answered - killed:.2f} s after the kill", "green")
        await self._watch.until("all is as before the kill", lambda seen: ready(seen) >= strength, SEEN_S)

    async def _answered_with(self, greeting: str, promise: str) -> None:
        """Look at the answers of the next second."""
        since = monotonic() + SETTLE_S
        await asyncio.sleep(2 * SETTLE_S + self._pace.calm_s)
        answers = [each for each in self._asking.answers if each.due > since and each.greeting]
        greetings = Counter(each.greeting for each in answers)
        seen = f"{greetings[greeting]} of {len(answers)}"
        self._record.promise(promise, held=set(greetings) == {greeting}, seen=seen)
        self._teller.say(f"{seen} answers begin with {greeting!r}", "green")

    async def _replay_from_inputs_alone(self) -> None:
        """Replay a copy of the recording from which all decisions were deleted; the ledger has them, too."""
        bare = self._place.folder / "inputs-alone.sqlite"
        await asyncio.to_thread(hindsight.without_decisions, self._place.state / "recording.sqlite", bare)
        self._teller.say("every decision is deleted from a copy of the recording; what went in is left")
        printed = (await self._lamp("replay", "--json", "--recording", str(bare))).out
        ledger = hindsight.entries((await self._place.lamp("ledger", "--json")).out)
        again, told = hindsight.decided_in(printed), hindsight.decided_by(ledger)
        self._record.replayed = hindsight.replayed(printed)
        self._record.acted = hindsight.acted(ledger, self._record.began_wall)
        self._record.promise(
            "replay made every decision of the ledger again, from the inputs alone",
            held=again == told != [],
            seen=f"{len(told)} actions",
        )
        same = "the same, in the same order, as" if again == told else "not the same as"
        self._teller.say(f"the {len(again)} actions decided on again are {same} in the ledger", "green")

    async def _verify(self) -> None:
        self._record.ledger = (await self._lamp("ledger", "--verify")).out.strip()
        self._teller.say(self._record.ledger, "green")

    async def _status(self) -> Status:
        return msgspec.json.decode((await self._place.lamp("status", "--json")).out, type=Status)

    async def _left(self) -> list[str]:
        """Return what is left, having given what was told to go a moment to be gone."""
        place = self._place
        systems = [(place.port, place.state), (place.swarm_port, place.states / SWARM)]
        for _ in range(LEFT_LOOKS):
            found = []
            for port, state in systems:
                memory = leftovers.memory_of(state)
                found += await asyncio.to_thread(leftovers.left, place.folder, self._seen, port, memory)
            if not found:
                break
            await asyncio.sleep(SETTLE_S / 2)
        return found

    async def _lamp(self, *words: str) -> Ran:
        self._teller.command(" ".join(("lamp", *words)))
        return await self._place.lamp(*words)

    async def _moves(self) -> None:
        """Keep the last line of a terminal up to date."""
        while True:
            await asyncio.sleep(MOVE_S)
            if self.traffic and self.traffic.rate:
                self._teller.move(_standing(self.traffic, self._watch.status))

    def _mark(self, label: str) -> None:
        self._record.marks.append(Mark(monotonic(), label))

    def _note_release(self) -> None:
        """Remember the release that has just come to serve."""
        for each in reversed(self._asking.answers):
            if each.release and each.release not in self._record.releases:
                self._record.releases.append(each.release)
                return

    @property
    def _asking(self) -> Traffic:
        assert self.traffic is not None, "questions are asked from the first chapter on"
        return self.traffic


def _calm(status: Status) -> bool:
    seen = look(status)
    busy = any(each.draining for each in status.workloads) or bool(status.pending)
    return ready(status) == AT_LEAST and not seen.starting and not seen.draining and not busy


def _pids(status: Status) -> dict[str, int]:
    return {each.id: each.pid for each in status.replicas if each.live and each.pid}


def _standing(traffic: Traffic, status: Status | None) -> str:
    serving = f"{ready(status)} replicas" if status else "no maintainer"
    recent: list[Answer] = traffic.answers[-50:]
    slowest = max((each.took_s for each in recent), default=0.0)
    failed = sum(each.fate.failed for each in traffic.answers)
    return f"  {traffic.rate:g} asked/s | {serving} | slowest of 50: {slowest:.2f} s | failed: {failed}"
