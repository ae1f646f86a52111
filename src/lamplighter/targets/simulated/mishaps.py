"""Mishaps: what befalls replicas by itself: crashes, hangs, lies, leaks. A part of the world."""

from collections.abc import Callable

from lamplighter.targets.simulated.agenda import Agenda
from lamplighter.targets.simulated.bodies import Body
from lamplighter.targets.simulated.chance import Chance
from lamplighter.targets.simulated.faults import ReplicaFaults
from lamplighter.targets.simulated.journal import Ended, Event, Mishap, Passing
from lamplighter.targets.simulated.traffic import Traffic

CHECK_S = 0.5
"""The gateway's checks come this often: so late it may notice what a replica does."""
UNHEALTHY_S = 1.5
"""Checks that fail for this long take a replica out of rotation."""
SIGKILL, SIGSEGV, SIGTERM = 9, 11, 15


class Mishaps:
    """Lets things go wrong with replicas, and says so in the journal."""

    def __init__(
        self, agenda: Agenda, chance: Chance, traffic: Traffic, note: Callable[[Event], None]
    ) -> None:
        self._agenda = agenda
        self._chance = chance
        self._traffic = traffic
        self._note = note

    def await_them(self, body: Body, faults: ReplicaFaults) -> None:
        """Draw when each kind of fault will befall a replica that has just come up."""
        loss_p, hang_s, lie_s = faults.crash_unrecorded_p, faults.hang_for_s, faults.lie_for_s
        self._await(body, "crash", faults.crash_every_s, lambda: self.crash(body, loss_p))
        self._await(body, "hang", faults.hang_every_s, lambda: self.hang(body, hang_s))
        self._await(body, "lie", faults.lie_every_s, lambda: self.lie(body, lie_s))
        self._await(body, "leak", faults.leak_every_s, lambda: self.leak(body))

    def crash(self, body: Body, unrecorded_p: float = 0.0) -> None:
        """A replica ends by itself, perhaps without a record of it."""
        if body.stage == "ended":
            return
        if body.live:
            body.finishes = [float("inf")] * min(self._traffic.in_flight(body, self._agenda.now), 100)
        body.recorded = not self._chance.happens("crash/record", unrecorded_p)
        self.end(body, "crashed" if body.recorded else "crashed without a trace", SIGSEGV)

    def hang(self, body: Body, for_s: float = 0.0) -> None:
        """A replica stops answering; its checks notice a little later. `for_s` 0: it never answers again."""
        if not body.serving or body.hung:
            return
        now = self._agenda.now
        body.stuck, body.hung, body.down_at = self._traffic.in_flight(body, now), True, now
        noticed_s = UNHEALTHY_S - self._chance.between("hang", 0.0, CHECK_S)
        self._agenda.at(now + noticed_s, lambda: self._noticed(body))
        if for_s > 0:
            self._agenda.at(now + for_s, lambda: self._wakes(body))

    def lie(self, body: Body, for_s: float) -> None:
        """A replica passes its checks and fails its requests."""
        if body.serving:
            body.failing, now = True, self._agenda.now
            self._note(Mishap(now, body.id, f"passes its checks and fails its requests for {for_s:g} s"))
            self._agenda.at(now + for_s, lambda: setattr(body, "failing", False))

    def flap(self, body: Body, for_s: float, every_s: float) -> None:
        """A replica passes and fails its checks in turns, for a while; in between it would serve."""
        until = self._agenda.now + for_s

        def turn() -> None:
            if body.stage != "up" or body.hung:
                return
            over = self._agenda.now >= until
            self.passes(body, passing=over or not body.passing, why="its checks flap")
            if not over:
                self._agenda.at(self._agenda.now + every_s, turn)

        turn()

    def leak(self, body: Body) -> None:
        """A replica begins to use more and more memory."""
        if body.live and body.leaking_since is None:
            body.leaking_since = self._agenda.now
            self._note(Mishap(self._agenda.now, body.id, "leaks memory"))

    def passes(self, body: Body, *, passing: bool, why: str) -> None:
        """A replica begins or ceases to pass its checks."""
        if body.stage == "ended" or body.passing == passing:
            return
        self._traffic.changed(self._agenda.now)
        if body.passing:
            body.passed_at = self._agenda.now
        body.passing = passing
        body.passed_once = body.passed_once or passing
        if passing:
            body.down_at = None
        elif body.down_at is None:
            body.down_at = self._agenda.now
        self._note(Passing(self._agenda.now, body.id, passing, why))

    def end(self, body: Body, cause: str, signal: int) -> None:
        """A replica is gone; what it had in flight is cut."""
        if body.stage == "ended":
            return
        now, told_at = self._agenda.now, body.draining_since
        drained_s = None if told_at is None else now - told_at
        if told_at is None and body.down_at is None:
            body.down_at = now
        excused = body.hung or drained_s is None or cause != "told to"
        dropped = body.unfinished(now)
        self._traffic.changed(now)
        body.stage, body.ended_at, body.signal, body.passing = "ended", now, signal, False
        self._note(Ended(now, body.id, body.workload, cause, dropped, drained_s, excused))

    def _await(self, body: Body, what: str, every_s: float, happen: Callable[[], None]) -> None:
        if every_s > 0:
            after_s = self._chance.wait_s(f"{what}/{body.workload}", every_s)
            self._agenda.at(self._agenda.now + after_s, happen, fault=True)

    def _noticed(self, body: Body) -> None:
        if body.hung:
            self.passes(body, passing=False, why="it hangs")

    def _wakes(self, body: Body) -> None:
        if body.stage == "up" and body.hung:
            body.hung, body.stuck, body.down_at = False, 0, None
            self.passes(body, passing=True, why="it answers again")
