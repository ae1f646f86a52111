"""Bugs that might have been written: each a change of what decides, in words and as text.

A bug is told by what it does to the world, by a checker that knows nothing of it.
"""

from typing import NamedTuple


class Change(NamedTuple):
    """A piece of a module's text, there exactly once, and what is there instead."""

    module: str
    before: str
    after: str


class Bug(NamedTuple):
    """One bug: its name, what goes wrong, and the changes that make it."""

    name: str
    sentence: str
    changes: tuple[Change, ...]


def _bug(name: str, sentence: str, *changes: tuple[str, str, str]) -> Bug:
    return Bug(name, sentence, tuple(Change(f"lamplighter.{at}", old, new) for at, old, new in changes))


BUGS: tuple[Bug, ...] = (
    # --- verify
    _bug(
        "lost-undo",
        "what failed and could be undone is neither undone nor closed",
        ("engine.verify", "                undo.append(proposal)\n", "                pass\n"),
    ),
    _bug(
        "undo-everything",
        "a scale-up that partly worked is undone whole, those that serve included",
        (
            "engine.verify",
            "undo = replace(undo, replicas=max(undo.replicas, serving), stops=())",
            "undo = replace(undo, stops=())",
        ),
        ("engine.verify", "if each.ready is False]\n", "]\n"),
    ),
    _bug(
        "unknown-is-failed",
        "a postcondition that cannot be told counts as one that does not hold",
        (
            "engine.verify",
            'return "failed" if all_hold(contract.expects, survey) is False else "unknown"',
            'return "failed"',
        ),
    ),
    _bug(
        "refusal-keeps-its-number",
        "a number that was settled with an action stays although the action was refused",
        (
            "engine.verify",
            "history = _without(_taken_back(history, pending), pending)",
            "history = _without(history, pending)",
        ),
    ),
    _bug(
        "never-asked-again",
        "an action whose answer was lost is never handed over again",
        (
            "engine.verify",
            'return "retry" if pending.attempts < ATTEMPTS_MAX else "given-up"',
            'return ""',
        ),
    ),
    # --- settle and commit
    _bug(
        "surge-forgotten",
        "replicas beyond max and surge are started",
        (
            "engine.settle",
            "if (more > 0 and more > self._left[name]) or starts > self._beds[name]:",
            "if False:",
        ),
        ("controllers.numbers", "room = service.replicas.max + service.rollout.surge", "room = 99"),
    ),
    _bug(
        "two-owners-in-one-pass",
        "several decisions of one pass may settle one number and stop one replica",
        ("engine.settle", "claims = tuple(_claims(proposal))", "claims = ()"),
    ),
    _bug(
        "stale-approval",
        "a yes to an action still counts when who lives has changed since",
        (
            "engine.settle",
            "same = each.subject == proposal.subject and each.basis == basis",
            "same = each.subject == proposal.subject",
        ),
        (
            "engine.settle",
            "if same and _alike(each.chosen.action, proposal.action):",
            "if same and type(each.chosen.action) is type(proposal.action):",
        ),
    ),
    _bug(
        "names-given-twice",
        "the count of names does not go on with the replicas that are started",
        (
            "engine.commit",
            'return max([ordinal, *(int(each.rsplit("-", 1)[1]) + 1 for each in starts)])',
            "return ordinal",
        ),
    ),
    _bug(
        "overtaken-lives-on",
        "stops of an overtaken action that had no answer are forgotten, and others are started in their place",
        (
            "engine.settle",
            "            proposal = carried(proposal, history.pending[each], survey)  # noqa: PLW2901\n",
            "            pass\n",
        ),
    ),
    _bug(
        "attempts-not-inherited",
        "a successor does not inherit the failures of its place",
        (
            "engine.commit",
            "attempts = {**memory.attempts, start: tries} if tries else memory.attempts",
            "attempts = memory.attempts",
        ),
    ),
    # --- guard
    _bug(
        "budget-resets",
        "the budget of actions begins anew with each window of the clock",
        (
            "engine.guard",
            "since = self.survey.now - system.guards.window_s if system else self.survey.now",
            "since = self.survey.now // system.guards.window_s * system.guards.window_s",
        ),
    ),
    _bug(
        "repairs-cost-nothing",
        "replacements do not count towards the budget of actions",
        (
            "engine.guard",
            'UNCOUNTED = frozenset({"configure", "forget", "shift", "dismantle"})',
            'UNCOUNTED = frozenset({"configure", "forget", "shift", "dismantle", "replace"})',
        ),
    ),
    _bug(
        "risk-one-by-one",
        "each action is held against what may be at risk as if it were the only one",
        ("engine.guard", "at_risk = watch.at_risk.get(name, 0.0)", "at_risk = 0.0"),
        (
            "controllers.numbers",
            "return max(1, int(system.guards.at_risk * count + EPSILON))",
            "return max(1, count)",
        ),
    ),
    _bug(
        "nobody-asked",
        "what stops more than goes without a yes is done without one",
        ("engine.guard", 'return replace(decision, state="asked", reasons=(reason,))', "return decision"),
    ),
    # --- memory
    _bug(
        "drained-is-crashed",
        "a replica that was told to end counts as one that crashed",
        (
            "engine.memory",
            "            if each.draining_since is not None or each.id in survey.motion.leaving:\n                continue\n",
            "",
        ),
    ),
    _bug(
        "clock-of-sickness-restarts",
        "since when a replica fails its checks is noted anew at each pass",
        (
            "engine.memory",
            "failing[each.id] = memory.not_ready_since.get(each.id, now)",
            "failing[each.id] = now",
        ),
    ),
    _bug(
        "unknown-is-failing",
        "a replica of which it is not known whether it is ready counts as failing, and is replaced",
        ("engine.memory", "            elif each.ready is False:\n", "            else:\n"),
        (
            "engine.conditions",
            "return None if replica.ready is None or phase is Phase.UNKNOWN else not replica.ready",
            "return not replica.ready",
        ),
    ),
    # --- orders
    _bug(
        "up-forgets-the-load",
        "each order to bring something up takes every workload back to its min",
        ("engine.orders", "kept = max(memory.capacity, service.replicas.min)", "kept = service.replicas.min"),
    ),
    _bug(
        "rollback-forgotten",
        "a rollback is promised and the rollout goes on",
        (
            "engine.orders",
            'return replace(memory, rollout=replace(state, verdict="rolled-back", reason=reason, by=by, ended_at=now))',
            "return memory",
        ),
    ),
    # --- applying and the loop
    _bug(
        "nothing-checked-again",
        "a decision is applied although the facts have moved away from it",
        (
            "engine.applying",
            "return self._terms.revalidate(decision, facts, history, self._clock.now())",
            "return None",
        ),
    ),
    _bug(
        "old-facts-will-do",
        "facts are not read again before an action, however old they are",
        ("engine.applying", "if self._clock.now() - self._facts.at > self._terms.pace.fresh_s:", "if False:"),
    ),
    _bug(
        "token-of-its-own",
        "a maintainer that was succeeded acts on, under a token that every target takes",
        ("engine.applying", "token=self._terms.token", "token=1 << 30"),
        ("engine.applying", "if not self._terms.held():", "if False:"),
        ("engine.loop", "if not self._terms.held():", "if False:"),
    ),
    _bug(
        "acted-then-recorded",
        "what was decided is applied before it is recorded",
        (
            "engine.loop",
            "        number, held = await self._record(inputs, result, before, after)\n",
            '        early = await self._act(result, after, facts, "")\n'
            "        number, held = await self._record(inputs, result, before, after)\n",
        ),
        (
            "engine.loop",
            "self._outcomes += await self._act(result, after, facts, held)",
            "self._outcomes += early",
        ),
    ),
    _bug(
        "held-but-done",
        "what stops replicas goes ahead although it could not be recorded",
        (
            "engine.loop",
            "barred = [each for each in wanted if held and each.chosen.contract.destructive]",
            "barred = []",
        ),
        ("engine.guard", "if watch.recordable or not chosen.contract.destructive:", "if True:"),
    ),
    _bug(
        "doubled-on-retry",
        "what had no answer is done again under another id",
        (
            "engine.loop",
            "again = [history.pending[each].decision for each in result.retries if each in history.pending]",
            "again = [msgspec.structs.replace(history.pending[each].decision, id=f'{each}-again') for each in result.retries]",
        ),
        ("engine.revalidate", "if decision.id not in history.pending:", "if False:"),
    ),
    _bug(
        "successor-starts-afresh",
        "a successor takes up the history before the newest pass",
        (
            "engine.records",
            "    if latest.history is not None:\n        return latest.history\n",
            "    if latest.history is not None:\n        return latest.recorded.before or latest.history\n",
        ),
    ),
    # --- repair and housekeeping
    _bug(
        "repaired-for-ever",
        "a place is repaired however often that did not last",
        ("controllers.repair", "return len(_recent(policy, tries, now)) >= policy.attempts", "return False"),
    ),
    _bug(
        "no-successor-first",
        "a replica that has outgrown its memory is replaced at once, though it serves",
        ("controllers.repair", "if serves and spare_room > 0 and not spares:", "if False:"),
        ("controllers.repair", "        if serves and spares:\n            continue\n", ""),
    ),
    _bug(
        "never-missed",
        "replicas that vanish without a trace are not started anew",
        (
            "controllers.repair",
            "    if missing > len(dead):\n        yield from _restored(place, missing - len(dead))\n",
            "",
        ),
    ),
    _bug(
        "living-forgotten",
        "the records of replicas that live are dropped",
        (
            "controllers.housekeeping",
            "settled = survey.standing(name, release).exited",
            "settled = [*survey.standing(name, release).exited, *survey.standing(name, release).live]",
        ),
        (
            "controllers.housekeeping",
            "if owed <= 0 or each.id in memory.replaced or each.draining_since is not None",
            "if True",
        ),
    ),
    _bug(
        "drain-skipped-at-rollback",
        "a release that is rolled back is ended without being drained",
        (
            "controllers.rollout",
            "    scale = Scale(workload=service.name, release=release, replicas=to, stops=stops, drain_s=service.drain_s)\n"
            "    ready = Ready(",
            "    drain_s = 0.0 if why.priority is Priority.SAFETY else service.drain_s\n"
            "    scale = Scale(workload=service.name, release=release, replicas=to, stops=stops, drain_s=drain_s)\n"
            "    ready = Ready(",
        ),
    ),
    # --- rollout and numbers
    _bug(
        "bad-release-promoted",
        "no candidate ever fails",
        (
            "controllers.rollout",
            'reason = failure(memory, state, service, survey, history) if state.stable else ""',
            'reason = ""',
        ),
    ),
    _bug(
        "no-bake",
        "a rollout goes on at once, without a look at how its candidate fares",
        ("controllers.rollout", "if survey.now - state.step_since >= service.rollout.bake_s:", "if True:"),
    ),
    _bug(
        "traffic-to-the-unready",
        "a candidate is given its traffic before it is ready for it",
        (
            "controllers.numbers",
            "    if taker.ready >= need or (taker.ready and not (giver.there if move.keep else giver.may_serve)):\n",
            "    if True:\n",
        ),
        (
            "controllers.contracts",
            "                *(Ready(workload=workload, release=each, at_least=1) for each in gaining),\n",
            "",
        ),
    ),
    _bug(
        "stable-drained-early",
        "the release that gives its traffic is drained to nothing as soon as the candidate has some",
        (
            "controllers.numbers",
            "    down = max(floor, min(total if move.keep else floor, room - need))\n",
            "    down = 0\n",
        ),
    ),
    # --- scaling
    _bug(
        "below-min",
        "scaling forgets that there is a lower bound",
        (
            "controllers.scaling",
            "fewer = max(1, service.replicas.min, ceil(peak / DOWN_AT - EPSILON))",
            "fewer = max(1, ceil(peak / DOWN_AT - EPSILON))",
        ),
        (
            "controllers.scaling",
            "return max(service.replicas.min, min(total, top))",
            "return max(1, min(total, top))",
        ),
    ),
    _bug(
        "saving-when-blind",
        "replicas are saved while their traffic is silent",
        (
            "controllers.scaling",
            '    if survey.silence(TRAFFIC) or survey.silence(HEALTH):\n        return total, ""\n    if idle(',
            "    if idle(",
        ),
        ("controllers.scaling", "sources=contracts.EVERY_SOURCE", "sources=(PROCESSES,)"),
    ),
    _bug(
        "no-patience",
        "a lull of a moment takes replicas away, and the next burst brings them back",
        (
            "controllers.scaling",
            "if memory.scaled_up_at is not None and now - memory.scaled_up_at < held_s(scale, memory):",
            "if False:",
        ),
        ("controllers.scaling", "peak = max(wants.calm, wants.panic)", "peak = wants.panic"),
    ),
    _bug(
        "never-more",
        "more load never brings more replicas",
        (
            "controllers.scaling",
            "if wants.panic is not None and wants.panic > max(total * UP_AT, EPSILON):",
            "if False:",
        ),
    ),
    # --- teardown and configure
    _bug(
        "cut-down",
        "an order to end everything drains nothing",
        (
            "controllers.teardown",
            "replicas=0, stops=stops, drain_s=memory.drain_s)",
            "replicas=0, stops=stops, drain_s=0.0)",
        ),
    ),
    _bug(
        "dismantled-early",
        "what is left is dismantled while replicas still drain",
        (
            "controllers.survey",
            "return coming + sum(len(each.live) + len(each.draining) for each in standings)",
            "return coming + sum(len(each.live) for each in standings)",
        ),
    ),
    _bug(
        "needs-forgotten",
        "what others need is drained first when everything goes down",
        (
            "controllers.teardown",
            "free = [name for name in left if name not in needed] or left",
            "free = left",
        ),
    ),
    _bug(
        "configured-once",
        "the gateway is not configured anew when the spec changes",
        (
            "controllers.configure",
            "return survey.facts.configured == digest(system)",
            'return survey.facts.configured != ""',
        ),
    ),
)
