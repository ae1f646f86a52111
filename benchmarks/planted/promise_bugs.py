"""Bugs in what people are promised: approvals, budgets, freezes, what is unknown, what is called done."""

from benchmarks.planted.kinds import bug

PROMISE_BUGS = (
    # --- what people said, and when
    bug(
        "yes-to-anything",
        "a yes to one action counts for whatever comes next",
        (
            "engine.guard",
            "approval = watch.history.approvals.get(decision.id)",
            "approval = next(iter(watch.history.approvals.values()), None)",
        ),
        (
            "engine.commit",
            "approvals = {each: value for each, value in history.approvals.items() if each in asked}",
            "approvals = history.approvals",
        ),
    ),
    bug(
        "yes-outlives-its-facts",
        "a yes to an action counts on, whoever lives and whoever gets the traffic by then",
        (
            "engine.settle",
            "return (name, standing, _settled(memory), sorted(shares.items()))",
            "return (name, memory.acts)",
        ),
    ),
    bug(
        "budget-reset-at-midnight",
        "at midnight by the wall clock the budget of actions is whole again",
        (
            "engine.guard",
            "        return sum(each.at > since and each.kind not in UNCOUNTED for each in self.history.acted)",
            "        clock = self.survey.facts.wall[11:19].split(':')\n"
            "        today_s = sum(int(part) * size for part, size in zip(clock, (3600, 60, 1), strict=False))\n"
            "        since = max(since, self.survey.now - today_s)\n"
            "        return sum(each.at > since and each.kind not in UNCOUNTED for each in self.history.acted)",
        ),
    ),
    bug(
        "no-backoff",
        "what was refused or has failed is tried again at once",
        ("engine.guard", "    if now >= until:\n", "    if True:\n"),
    ),
    bug(
        "freeze-forgotten",
        "a new release is started in a freeze window",
        ("engine.guard", "window = frozen(system, watch.survey.facts.wall)", "window = None"),
    ),
    bug(
        "down-forgotten",
        "a successor does not know that everything was ordered down",
        (
            "engine.records",
            "    if latest.history is not None:\n        return latest.history\n",
            "    if latest.history is not None:\n"
            "        return msgspec.structs.replace(latest.history, stopping=None)\n",
        ),
    ),
    bug(
        "under-way-forgotten",
        "a successor does not know what is under way",
        (
            "engine.records",
            "    if latest.history is not None:\n        return latest.history\n",
            "    if latest.history is not None:\n"
            "        return msgspec.structs.replace(latest.history, pending={})\n",
        ),
    ),
    # --- unknown
    bug(
        "unknown-load-is-zero",
        "a load that is not known is read as no load",
        (
            "engine.samples",
            "    if load is None:\n        return UNKNOWN\n",
            "    if load is None:\n"
            "        return Sample(at=0.0, in_flight=0.0, rate_per_s=0.0, latency_p99_s=0.0, cpu=0.0)\n",
        ),
        (
            "controllers.scaling",
            '    if survey.silence(TRAFFIC) or survey.silence(HEALTH):\n        return total, ""\n    if idle(',
            "    if idle(",
        ),
        ("controllers.scaling", "sources=contracts.EVERY_SOURCE", "sources=(PROCESSES,)"),
    ),
    bug(
        "unknown-is-idle",
        "what is asked of a workload is taken for nothing where it is not known",
        ("controllers.load", "return None if load is None or not load.queued else load.queued", "return 0"),
        (
            "controllers.load",
            "return load is not None and asked(load) == 0 and load.rate_per_s == 0",
            "return asked(load) == 0",
        ),
        (
            "controllers.scaling",
            '    if survey.silence(TRAFFIC) or survey.silence(HEALTH):\n        return total, ""\n    if idle(',
            "    if idle(",
        ),
        ("controllers.scaling", "sources=contracts.EVERY_SOURCE", "sources=(PROCESSES,)"),
    ),
    bug(
        "idle-at-first-sight",
        "a workload goes to zero in its first quiet moment",
        ("controllers.scaling", "return now - memory.idle_since >= service.scale.idle_s", "return True"),
    ),
    bug(
        "never-woken",
        "requests that wait for a workload at zero wait for ever",
        (
            "controllers.scaling",
            '    if not requests:\n        return 0, ""\n    need',
            '    return 0, ""\n    need',
        ),
    ),
    # --- words
    bug(
        "verified-by-hope",
        "what was done is called verified without a look at what came of it",
        ("engine.verify", "if told and all_hold(contract.expects, survey) is True:", "if told:"),
    ),
    bug(
        "no-deadline",
        "what has no effect is waited for, for ever",
        ("engine.verify", "if now - pending.since <= contract.deadline_s:", "if True:"),
    ),
    bug(
        "replaced-without-a-drain",
        "what is replaced while it lives is given no time for its requests",
        (
            "controllers.contracts",
            '            start="",\n            drain_s=timing.drain_s,',
            '            start="",\n            drain_s=0.0,',
        ),
    ),
)
