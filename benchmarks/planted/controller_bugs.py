"""Bugs in controllers: what is wanted, and when."""

from benchmarks.planted.kinds import bug

CONTROLLER_BUGS = (
    # --- repair and housekeeping
    bug(
        "repaired-for-ever",
        "a place is repaired however often that did not last",
        ("controllers.repair", "return len(_recent(policy, tries, now)) >= policy.attempts", "return False"),
    ),
    bug(
        "no-successor-first",
        "a replica that has outgrown its memory is replaced at once, though it serves",
        ("controllers.repair", "if serves and spare_room > 0 and not spares and not surplus:", "if False:"),
        ("controllers.repair", "        if serves and spares and not stuck:\n            continue\n", ""),
    ),
    bug(
        "never-missed",
        "replicas that vanish without a trace are not started anew",
        (
            "controllers.repair",
            "    if missing > len(dead):\n        yield from _restored(place, missing - len(dead))\n",
            "",
        ),
    ),
    bug(
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
    bug(
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
    bug(
        "bad-release-promoted",
        "no candidate ever fails",
        (
            "controllers.rollout",
            "reason = failure(memory, state, service, survey, history)",
            'reason = ""',
        ),
    ),
    bug(
        "no-bake",
        "a rollout goes on at once, without a look at how its candidate fares",
        ("controllers.rollout", "if survey.now - state.step_since >= service.rollout.bake_s:", "if True:"),
    ),
    bug(
        "traffic-to-the-unready",
        "a candidate is given its traffic before it is ready for it",
        (
            "controllers.numbers",
            "    if taker.ready >= need or (taker.ready and not ((move.keep and giver.there) or giver.may_serve)):\n",
            "    if True:\n",
        ),
        (
            "controllers.contracts",
            "at_least=max(1, survey.ready(workload, each)))",
            "at_least=0)",
        ),
    ),
    bug(
        "stable-drained-early",
        "the release that gives its traffic is drained to nothing as soon as the candidate has some",
        (
            "controllers.numbers",
            "    down = max(floor, min(total if move.keep else floor, room - need))\n",
            "    down = 0\n",
        ),
    ),
    # --- scaling
    bug(
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
    bug(
        "saving-when-blind",
        "replicas are saved while their traffic is silent",
        (
            "controllers.scaling",
            '    if survey.silence(TRAFFIC) or survey.silence(HEALTH):\n        return total, ""\n    if idle(',
            "    if idle(",
        ),
        ("controllers.scaling", "sources=contracts.EVERY_SOURCE", "sources=(PROCESSES,)"),
    ),
    bug(
        "no-patience",
        "a lull of a moment takes replicas away, and the next burst brings them back",
        (
            "controllers.scaling",
            "if memory.scaled_up_at is not None and now - memory.scaled_up_at < held_s(scale, memory):",
            "if False:",
        ),
        ("controllers.scaling", "peak = max(wants.calm, wants.panic)", "peak = wants.panic"),
    ),
    bug(
        "never-more",
        "more load never brings more replicas",
        (
            "controllers.scaling",
            "if wants.panic is not None and wants.panic > max(total * UP_AT, EPSILON):",
            "if False:",
        ),
    ),
    # --- teardown and configure
    bug(
        "cut-down",
        "an order to end everything drains nothing",
        (
            "controllers.teardown",
            "replicas=0, stops=stops, drain_s=memory.drain_s)",
            "replicas=0, stops=stops, drain_s=0.0)",
        ),
    ),
    bug(
        "dismantled-early",
        "what is left is dismantled while replicas still drain",
        (
            "controllers.survey",
            "return coming + sum(len(each.live) + len(each.draining) for each in standings)",
            "return coming + sum(len(each.live) for each in standings)",
        ),
    ),
    bug(
        "needs-forgotten",
        "what others need is drained first when everything goes down",
        (
            "controllers.teardown",
            "free = [name for name in left if name not in needed] or left",
            "free = left",
        ),
    ),
    bug(
        "configured-once",
        "the gateway is not configured anew when the spec changes",
        (
            "controllers.configure",
            "return survey.facts.configured == digest(system)",
            'return survey.facts.configured != ""',
        ),
    ),
)
