"""Refused: a number whose action came to nothing is nobody's, and is not brought about by another way.

Goes by what was decided and by how it was recorded to have ended.
"""

from collections.abc import Iterator

from lamplighter.model.actions import Scale
from lamplighter.model.decisions import Decision
from lamplighter.model.history import History
from lamplighter.model.passes import Inputs, Result
from lamplighter.testing.checkers.seen import Listens
from lamplighter.testing.witness import Witness

Key = tuple[str, str]
"""A workload and a release of it."""
NOT_DONE = frozenset({"refused", "lapsed"})


class RefusedIsNotOwed(Listens):
    """Repair makes good no number that was only ever asked for by what the target, or the loop, refused.

    A number that any other decision settled as well may be owed for that one's sake.
    """

    def __init__(self) -> None:
        self._settled: dict[Key, dict[str, int]] = {}
        self._refused: dict[Key, dict[int, str]] = {}

    def hear(self, _inputs: Inputs, result: Result, _after: History, witness: Witness) -> Iterator[str]:
        """Hear what is settled, what of that was refused, and what repair counts as missing."""
        if not witness.recording:
            self._settled, self._refused = {}, {}
            return
        for closed in result.closed:
            if closed.result in NOT_DONE:
                self._forget(closed.action)
        for decision in result.decisions:
            action = decision.chosen.action
            if decision.state != "act" or not isinstance(action, Scale):
                continue
            key = action.workload, action.release
            if decision.chosen.controller != "repair":
                self._settled.setdefault(key, {})[decision.id] = action.replicas
            elif decision.subject == "/".join(key) and action.starts:
                yield from self._owed(key, action.replicas, decision)

    def _forget(self, action: str) -> None:
        for key, numbers in self._settled.items():
            if action in numbers:
                self._refused.setdefault(key, {})[numbers.pop(action)] = action

    def _owed(self, key: Key, number: int, decision: Decision) -> Iterator[str]:
        refused = self._refused.get(key, {}).get(number)
        if refused is not None and number not in self._settled.get(key, {}).values():
            yield f"{decision.id} makes good {number} of {key[1]}, which only {refused} asked for, in vain"
