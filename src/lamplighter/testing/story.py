"""Stories: what a simulated run is about: a system, its apps, what people order, and what goes wrong.

A story is a value: written by hand for a named scenario, drawn from a seed, or what is left of a drawn one
once everything that a failure does not need has been taken out.
"""

from lamplighter.engine.terms import Pace
from lamplighter.model.intents import Intent, Up
from lamplighter.model.value import Instant, Value
from lamplighter.targets.simulated import Ailment, App, Chance, Faults, Trouble, drawn
from lamplighter.testing import plot
from lamplighter.testing.twists import Draft, twisted

HOUR_S = 3600.0
SETTLING_S = 900.0
"""Once it is calm, everything has come to rest by so much later."""


class Order(Value):
    """What a person asks for, and when."""

    at: Instant
    intent: Intent


class Story(Value):
    """A whole run. Faults end at `calm_at`; by `end_at` everything must have come to rest.

    `faults` go wrong by chance, `troubles` at their set times. `ailing` are releases that are bad: the run
    must not end on one where there is a better. A pass is made every `interval_s`, every `busy_s` while
    something is on its way, and at once where `hints` tell of a change. `wall_at_s`: seconds from Monday
    midnight to instant 0. A person who is asked for a yes takes `thinks_s` on average. `files`: ledger and
    recording are the real ones, in files.
    """

    apps: dict[str, App] = {}
    ailing: dict[str, Ailment] = {}
    faults: Faults = Faults()
    troubles: tuple[Trouble, ...] = ()
    orders: tuple[Order, ...] = ()
    calm_at: Instant = 300.0
    end_at: Instant = 900.0
    interval_s: float = 1.0
    busy_s: float = 0.4
    hints: bool = False
    wall_at_s: float = 0.0
    thinks_s: float = 4.0
    files: bool = False

    @property
    def pace(self) -> Pace:
        """How often the loop makes a pass."""
        return Pace(interval_s=self.interval_s, busy_interval_s=self.busy_s)


def story(seed: int, *, length_s: float = HOUR_S) -> Story:
    """Draw a story from a seed: three to six workloads, orders of all kinds, and much that goes wrong.

    Args:
        seed: every draw comes from it.
        length_s: until faults end; at least a minute or two.
    """
    chance = Chance(seed)
    draw = chance.stream("story")
    beat = plot.beat(chance)
    system = plot.system(chance, beat, length_s)
    orders, ailing = plot.orders(chance, system, length_s)
    draft = Draft(
        system=system,
        orders=orders,
        apps={name: plot.app(chance, service, length_s) for name, service in system.services.items()},
        troubles=plot.troubles(chance, system, tuple(at for at, _ in orders), length_s),
        wall_at_s=draw.choice((0.0, 0.0, 23.7 * HOUR_S, 167.6 * HOUR_S)),
        thinks_s=draw.choice((2.0, 4.0, 4.0, 60.0)),
    )
    files = draw.random() < 1 / 16
    draft = twisted(draft, chance, length_s)
    return Story(
        apps=draft.apps,
        ailing=ailing,
        faults=plot.slowed(drawn(chance), plot.seldom(chance, length_s)),
        troubles=draft.troubles,
        orders=tuple(Order(at=at, intent=intent) for at, intent in draft.orders),
        calm_at=length_s,
        end_at=length_s + SETTLING_S + _window_s(draft),
        interval_s=beat.interval_s,
        busy_s=beat.busy_s,
        hints=beat.hints,
        wall_at_s=draft.wall_at_s,
        thinks_s=draft.thinks_s,
        files=files,
    )


def _window_s(draft: Draft) -> float:
    """Return for how long actions may have to wait until the budget of earlier ones is forgotten."""
    systems = [each.system for _, each in draft.orders if isinstance(each, Up)]
    return max((each.guards.window_s for each in systems), default=0.0)
