"""`lamp agents ls|show|send|top|deadletters`: into the pools of agents that run on this machine."""

import argparse
from collections.abc import Callable
from typing import Any

from lamplighter.app.agents import Agents
from lamplighter.faces.cli import chosen
from lamplighter.faces.cli.render import agents as texts
from lamplighter.faces.cli.render.output import print_json
from lamplighter.model.errors import UserError


def run(asked: argparse.Namespace) -> int:
    """Ask the pool, and print what it says."""
    if getattr(asked, "most", 1) < 1:
        raise UserError("--most is less than 1", code="bad-option", mend="--most 100")
    _, state = chosen.system(asked)
    found, text = VERBS[asked.verb](Agents(state, asked.pool), asked)
    if asked.json:
        print_json(found)
    elif text:
        print(text)
    return 0


def _ls(agents: Agents, asked: argparse.Namespace) -> tuple[Any, str]:
    if not asked.prefix and not asked.after:
        kinds = agents.kinds()
        return {"kinds": kinds}, texts.kinds_text(kinds)
    addresses = agents.addresses(asked.prefix, asked.after, asked.most)
    more = addresses[-1] if len(addresses) == asked.most else ""
    return {"agents": addresses, "after": more}, texts.addresses_text(addresses, more)


def _show(agents: Agents, asked: argparse.Namespace) -> tuple[Any, str]:
    found = agents.show(asked.address)
    return found, texts.agent_text(found)


def _send(agents: Agents, asked: argparse.Namespace) -> tuple[Any, str]:
    answer = agents.send(
        asked.address, asked.message, key=asked.key, wait_s=asked.wait, answer=not asked.no_answer
    )
    if asked.no_answer:
        return {"accepted": True}, "accepted"
    return {"answer": answer}, texts.value_text(answer)


def _top(agents: Agents, asked: argparse.Namespace) -> tuple[Any, str]:
    found = agents.top(asked.most)
    return found, texts.top_text(found.busiest, found.stats)


def _deadletters(agents: Agents, asked: argparse.Namespace) -> tuple[Any, str]:
    if asked.replay and asked.bury:
        raise UserError("--replay and --bury exclude each other", code="bad-option", mend="take one out")
    if asked.replay or asked.bury:
        found = agents.away(asked.prefix, asked.letter, again=asked.replay)
        done = f"{found.replayed} sent again" if asked.replay else f"{found.buried} thrown away"
        return found, done
    found = agents.dead(asked.prefix, asked.most)
    return found, texts.letters_text(found.letters)


VERBS: dict[str, Callable[[Agents, argparse.Namespace], tuple[Any, str]]] = {
    "ls": _ls,
    "show": _show,
    "send": _send,
    "top": _top,
    "deadletters": _deadletters,
}
