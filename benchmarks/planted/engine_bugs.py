"""Bugs in the engine: how what is wanted is settled, guarded, remembered, applied and verified."""

from benchmarks.planted.kinds import bug

ENGINE_BUGS = (
    # --- verify
    bug(
        "lost-undo",
        "what failed and could be undone is neither undone nor closed",
        ("engine.verify", "                undo.append(proposal)\n", "                pass\n"),
    ),
    bug(
        "undo-everything",
        "a scale-up that partly worked is undone whole, those that serve included",
        (
            "engine.verify",
            "undo = replace(undo, replicas=max(undo.replicas, serving + len(fresh)), stops=())",
            "undo = replace(undo, stops=())",
        ),
        ("engine.verify", "if each.ready is False and each.id not in fresh]\n", "]\n"),
    ),
    bug(
        "unknown-is-failed",
        "a postcondition that cannot be told counts as one that does not hold",
        (
            "engine.verify",
            'return "failed" if not promised or all_hold(contract.expects, survey) is False else "unknown"',
            'return "failed"',
        ),
    ),
    bug(
        "refusal-keeps-its-number",
        "a number that was settled with an action stays although the action was refused",
        (
            "engine.verify",
            "history = _without(_taken_back(history, pending), pending)",
            "history = _without(history, pending)",
        ),
    ),
    bug(
        "never-asked-again",
        "an action whose answer was lost is never handed over again",
        (
            "engine.verify",
            'return "retry" if pending.attempts < ATTEMPTS_MAX else "given-up"',
            'return ""',
        ),
    ),
    # --- settle and commit
    bug(
        "surge-forgotten",
        "replicas beyond max and surge are started",
        (
            "engine.settle",
            "if (more > 0 and more > self._left[name]) or starts > self._beds[name]:",
            "if False:",
        ),
        ("controllers.numbers", "room = service.replicas.max + service.rollout.surge", "room = 99"),
    ),
    bug(
        "two-owners-in-one-pass",
        "several decisions of one pass may settle one number and stop one replica",
        ("engine.settle", "claims = tuple(_claims(proposal))", "claims = ()"),
    ),
    bug(
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
    bug(
        "names-given-twice",
        "the count of names does not go on with the replicas that are started",
        (
            "engine.commit",
            'return max([ordinal, *(int(each.rsplit("-", 1)[1]) + 1 for each in starts)])',
            "return ordinal",
        ),
    ),
    bug(
        "overtaken-lives-on",
        "stops of an overtaken action that had no answer are forgotten, and others are started in their place",
        (
            "engine.settle",
            "            proposal = carried(proposal, history.pending[each], survey)  # noqa: PLW2901\n",
            "            pass\n",
        ),
    ),
    bug(
        "attempts-not-inherited",
        "a successor does not inherit the failures of its place",
        (
            "engine.commit",
            "attempts = {**memory.attempts, start: tries} if tries else memory.attempts",
            "attempts = memory.attempts",
        ),
    ),
    # --- guard
    bug(
        "budget-resets",
        "the budget of actions begins anew with each window of the clock",
        (
            "engine.guard",
            "since = self.survey.now - system.guards.window_s if system else self.survey.now\n        return sum(",
            "since = self.survey.now // system.guards.window_s * system.guards.window_s\n        return sum(",
        ),
    ),
    bug(
        "repairs-cost-nothing",
        "replacements do not count towards the budget of actions",
        (
            "engine.guard",
            'UNCOUNTED = frozenset({"configure", "forget", "shift", "dismantle"})',
            'UNCOUNTED = frozenset({"configure", "forget", "shift", "dismantle", "replace"})',
        ),
    ),
    bug(
        "risk-one-by-one",
        "each action is held against what may be at risk as if it were the only one",
        ("engine.guard", "at_risk = watch.at_risk.get(name, 0.0)", "at_risk = 0.0"),
        (
            "controllers.numbers",
            "return max(1, int(system.guards.at_risk * count + EPSILON))",
            "return max(1, count)",
        ),
    ),
    bug(
        "nobody-asked",
        "what stops more than goes without a yes is done without one",
        ("engine.guard", 'return replace(decision, state="asked", reasons=(reason,))', "return decision"),
    ),
    # --- memory
    bug(
        "drained-is-crashed",
        "a replica that was told to end counts as one that crashed",
        (
            "engine.memory",
            "            if each.draining_since is not None or each.id in survey.motion.leaving:\n                continue\n",
            "",
        ),
    ),
    bug(
        "clock-of-sickness-restarts",
        "since when a replica fails its checks is noted anew at each pass",
        (
            "engine.memory",
            "failing[each.id] = memory.not_ready_since.get(each.id, now)",
            "failing[each.id] = now",
        ),
    ),
    bug(
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
    bug(
        "up-forgets-the-load",
        "each order to bring something up takes every workload back to its min",
        (
            "engine.orders",
            "kept = min(max(memory.capacity, service.replicas.min), most)",
            "kept = min(service.replicas.min, most)",
        ),
    ),
    bug(
        "rollback-forgotten",
        "a rollback is promised and the rollout goes on",
        (
            "engine.orders",
            'return replace(memory, rollout=replace(state, verdict="rolled-back", reason=reason, by=by, ended_at=now))',
            "return memory",
        ),
    ),
    # --- applying and the loop
    bug(
        "nothing-checked-again",
        "a decision is applied although the facts have moved away from it",
        (
            "engine.applying",
            "return self._terms.revalidate(decision, facts, history, self._clock.now())",
            "return None",
        ),
    ),
    bug(
        "old-facts-will-do",
        "facts are not read again before an action, however old they are",
        ("engine.applying", "if self._clock.now() - self._facts.at > self._terms.pace.fresh_s:", "if False:"),
    ),
    bug(
        "token-of-its-own",
        "a maintainer that was succeeded acts on, under a token that every target takes",
        ("engine.applying", "token=self._terms.token", "token=1 << 30"),
        ("engine.applying", "if not self._terms.held():", "if False:"),
        ("engine.loop", "if not self._terms.held():", "if False:"),
    ),
    bug(
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
    bug(
        "held-but-done",
        "what stops replicas goes ahead although it could not be recorded",
        (
            "engine.loop",
            "barred = [each for each in wanted if held and each.chosen.contract.destructive]",
            "barred = []",
        ),
        ("engine.guard", "if watch.recordable or not chosen.contract.destructive:", "if True:"),
    ),
    bug(
        "doubled-on-retry",
        "what had no answer is done again under another id",
        (
            "engine.loop",
            "again = [history.pending[each].decision for each in result.retries if each in history.pending]",
            "again = [msgspec.structs.replace(history.pending[each].decision, id=f'{each}-again') for each in result.retries]",
        ),
        ("engine.revalidate", "if decision.id not in history.pending:", "if False:"),
    ),
    bug(
        "successor-starts-afresh",
        "a successor takes up the history before the newest pass",
        (
            "engine.records",
            "    if latest.history is not None:\n        return latest.history\n",
            "    if latest.history is not None:\n        return latest.recorded.before or latest.history\n",
        ),
    ),
)
