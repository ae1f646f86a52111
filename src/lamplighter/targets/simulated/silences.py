"""Silences: which sources of facts do not answer, and since when. A part of the world."""

from collections.abc import Callable, Iterable
from typing import Literal

from lamplighter.model.facts import HEALTH, PROCESSES, TRAFFIC
from lamplighter.model.value import Instant
from lamplighter.targets.simulated.agenda import Agenda
from lamplighter.targets.simulated.chance import Chance
from lamplighter.targets.simulated.faults import SourceFaults
from lamplighter.targets.simulated.journal import Event, Mishap

SOURCES = (PROCESSES, HEALTH, TRAFFIC)

Manner = Literal["fault", "stuck"]
"""`fault`: says that it cannot answer. `stuck`: repeats what it said last, dated as it was then."""


class Silences:
    """Lets sources fall silent and answer again. `since`: from when on each that is silent has been."""

    def __init__(self, agenda: Agenda, chance: Chance, note: Callable[[Event], None]) -> None:
        self.manners: dict[str, Manner] = {}
        self.since: dict[str, Instant] = {}
        self._until: dict[str, Instant] = {}
        self._agenda = agenda
        self._chance = chance
        self._note = note

    def await_them(self, faults: SourceFaults) -> None:
        """Draw when each source, and all of them together, will fall silent, again and again."""
        for each in SOURCES:
            self._await((each,), faults.silent_every_s, faults.silent_for_s)
        self._await(SOURCES, faults.blackout_every_s, faults.blackout_for_s)

    def begin(self, source: str, for_s: float, manner: Manner = "fault") -> None:
        """Let a source be silent from now on, for so long."""
        self.manners[source] = manner
        self.since.setdefault(source, self._agenda.now)
        self._until[source] = max(self._until.get(source, 0.0), self._agenda.now + for_s)
        self._note(Mishap(self._agenda.now, source, f"silent for {for_s:.1f} s ({manner})"))
        self._agenda.at(self._until[source], lambda: self._end(source))

    def flap(self, source: str, for_s: float, every_s: float) -> None:
        """Let a source be silent and answer in turns of about so many seconds, for a while."""
        until, draw = self._agenda.now + for_s, f"flap/{source}"

        def turn() -> None:
            silent_s = self._chance.between(draw, every_s / 2, every_s * 3 / 2)
            self.begin(source, silent_s)
            again = self._agenda.now + silent_s + self._chance.between(draw, every_s / 2, every_s * 3 / 2)
            if again < until:
                self._agenda.at(again, turn, fault=True)

        turn()

    def end_all(self) -> None:
        """Let every source answer again."""
        self.manners.clear()
        self.since.clear()
        self._until.clear()

    def _end(self, source: str) -> None:
        if source in self.manners and self._until[source] <= self._agenda.now:
            del self.manners[source], self.since[source]
            self._note(Mishap(self._agenda.now, source, "answers again"))

    def _await(self, sources: Iterable[str], every_s: float, mean_for_s: float) -> None:
        if every_s <= 0:
            return
        names = tuple(sources)
        draw = "silence/" + "+".join(names)
        begins = self._agenda.now + self._chance.wait_s(draw, every_s)
        for_s = self._chance.wait_s(draw, mean_for_s)
        manner: Manner = "stuck" if self._chance.happens(draw, 1 / 3) else "fault"

        def happen() -> None:
            for each in names:
                self.begin(each, for_s, manner)
            self._await(names, every_s, mean_for_s)

        self._agenda.at(begins, happen, fault=True)
