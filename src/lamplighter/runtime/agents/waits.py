"""What suspended turns wait for, and the results as they come in. Runs no handler."""

import heapq

from lamplighter.runtime.agents import post
from lamplighter.runtime.agents.errors import AskTimeoutError
from lamplighter.runtime.agents.kinds import ENCODE
from lamplighter.runtime.agents.post import ERROR, PENDING, Outcome, Status
from lamplighter.runtime.agents.seats import Context, Seat, Waiting
from lamplighter.runtime.agents.store.records import Result
from lamplighter.runtime.agents.turn import Ask


class Waits:
    """The results of what a host's suspended turns ask for, and the deadlines of their questions."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._deadlines: list[tuple[float, int, int, int]] = []
        self.touched: dict[int, Waiting] = {}
        """Turns of which the open frame must tell something, by identity."""

    def resolve(self, seat: Seat, turn: int, n: int, status: Status, payload: bytes) -> None:
        """Take the result of what a turn asked for; one that comes late, or twice, is passed over."""
        waiting = seat.waiting.get(turn)
        if waiting is None:
            self._recorded(seat, turn, n, Outcome(status, payload))
            return
        known = waiting.results.get(n)
        if known is None or post.outcome(known.result).status != PENDING:
            return
        self.note(waiting, n, known.asked, Outcome(status, payload))
        if waiting.pending.pop(n, None) is not None:
            self.ready(waiting)

    def ready(self, waiting: Waiting) -> None:
        """Let a turn go on if it has all that it waited for."""
        if not waiting.pending and not waiting.ready:
            waiting.ready = True
            self._context.ready.append(waiting)

    def note(self, waiting: Waiting, n: int, digest: bytes, outcome: Outcome) -> None:
        """Keep a result for the journal, unless the turn is over before the frame is."""
        result = Result(waiting.number, n, digest, post.encode(outcome))
        waiting.results[n] = waiting.unwritten[n] = result
        self.touched[id(waiting)] = waiting

    def until(self, waiting: Waiting, n: int, deadline: float) -> None:
        """Set a question's deadline."""
        heapq.heappush(self._deadlines, (deadline, waiting.seat.number, waiting.number, n))

    def expire(self) -> None:
        """Fail the questions whose deadline has passed."""
        while self._deadlines and self._deadlines[0][0] <= self._context.now:
            _, partition, turn, n = heapq.heappop(self._deadlines)
            seat = self._context.seats[partition]
            asked = seat.waiting[turn].pending.get(n) if seat is not None and turn in seat.waiting else None
            if seat is not None and isinstance(asked, Ask):
                told = f"{asked.address} did not answer within {asked.timeout_s:g} s"
                self.resolve(seat, turn, n, ERROR, ENCODE((AskTimeoutError.code, told)))

    def next_deadline(self) -> float | None:
        """Wall time of the next deadline; None without one."""
        return self._deadlines[0][0] if self._deadlines else None

    def _recorded(self, seat: Seat, turn: int, n: int, outcome: Outcome) -> None:
        """Journal a result for a turn that has not been run again yet since the crash."""
        suspended = seat.partition.desk.suspended.get(turn)
        known = suspended.results.get(n) if suspended is not None else None
        if known is not None and post.outcome(known.result).status == PENDING:
            seat.write(Result(turn, n, known.asked, post.encode(outcome)))
