"""Pools of agents as text."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from lamplighter.runtime.agents.inspection.values import Agent, Busy, Letter

KIND_WIDTH_MIN = 12


def kinds_text(kinds: Mapping[str, int]) -> str:
    """Return how many agents there are of each kind."""
    if not kinds:
        return "no agents yet"
    width = max(KIND_WIDTH_MIN, *(len(each) for each in kinds))
    return "\n".join(f"{kind:{width}}  {count:>12,}" for kind, count in kinds.items())


def addresses_text(addresses: Sequence[str], more: str) -> str:
    """Return addresses, one a line; and how to go on."""
    rest = [f"more: --after {more}"] if more else []
    return "\n".join([*addresses, *rest]) or "none"


def agent_text(agent: Agent) -> str:
    """Return all that is known of an agent."""
    lines = [f"{agent.address}  partition {agent.partition}, shard {agent.shard}"]
    if agent.known:
        lines += [f"  state  {agent.state_bytes} B, last turn {_wall(agent.used_s)}"]
        fields = agent.state.items() if isinstance(agent.state, dict) else [("", agent.state)]
        lines += [f"    {name}: {value_text(value)}" for name, value in fields]
    else:
        lines += ["  no state: it has had no turn yet, or was forgotten"]
    lines += [f"  waiting  {agent.waiting} messages"] if agent.waiting else []
    lines += [f"  turn that waits since {_wall(each)}" for each in agent.suspended]
    lines += [f"  timer {_wall(each.due_s)}  {value_text(each.message)}" for each in agent.timers]
    lines += [f"  dead letter {_letter(each)}" for each in agent.dead]
    return "\n".join(lines)


def top_text(busiest: Sequence[Busy], stats: Mapping[str, float]) -> str:
    """Return the busiest agents and the pool's figures."""
    lines = [f"{'WAITING':>8}  AGENT"] if busiest else ["no agent has messages waiting"]
    lines += [f"{one.waiting:>8}  {one.address}{'  (its turn waits)' * one.suspended}" for one in busiest]
    return "\n".join([*lines, "", *(f"{name:24} {value:>14,.10g}" for name, value in sorted(stats.items()))])


def letters_text(letters: Sequence[Letter]) -> str:
    """Return dead letters, one a line."""
    return "\n".join(_letter(each) for each in letters) or "no dead letters"


def value_text(value: Any) -> str:
    """Return a value as one line of JSON."""
    return msgspec.json.encode(value).decode()


def _letter(letter: Letter) -> str:
    parts = (f"{letter.partition}:{letter.number}", _wall(letter.at_s), letter.address, letter.reason)
    return "  ".join([*parts, value_text(letter.message)])


def _wall(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
