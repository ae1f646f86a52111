"""Every code has a paragraph, and every code can be met."""

import pytest

from lamplighter.spec import check, codes

from .specs import faults, service

TWO = "system: x\nsites: {a: {}, b: {}}\n"
JOB = "system: x\njobs: {j: {command: x, %s}}"
STORE = "system: x\nstores: {s: {kind: object, %s}}"
FAULTS: dict[str, tuple[str | bytes, int, int]] = {
    "not-utf8": (b"system: x\nbudget: \xff", 2, 9),
    "not-text": ("system: x\n\x07", 2, 1),
    "too-large": ("x" * 2_000_000, 1, 1),
    "too-deep": ("[" * 100, 1, 42),
    "empty-spec": ("# nothing\n", 1, 1),
    "several-documents": ("system: x\n---\nsystem: y\n", 2, 1),
    "yaml-syntax": ("system: @x", 1, 9),
    "yaml-indent": ("gateway:\n  port: 1\n host: x\n", 3, 2),
    "yaml-tab": ("gateway:\n\tport: 1", 2, 1),
    "yaml-tag": ("system: !!str x", 1, 9),
    "yaml-key": ("system: x\n[a]: b", 2, 1),
    "duplicate-key": ("system: x\nsystem: y", 2, 1),
    "unknown-anchor": ("system: *x", 1, 9),
    "recursive-alias": ("services: &a {w: *a}", 1, 18),
    "bad-merge": ("system: x\n<<: y", 2, 5),
    "too-many-faults": ("\n".join(f"k{n}: 1" for n in range(300)), 0, 0),
    "unknown-key": (service("replica: 3"), 5, 5),
    "missing-key": ("services: {}", 1, 1),
    "missing-value": (service("drain:"), 5, 5),
    "wrong-type": (service("env: [1]"), 5, 10),
    "duplicate-item": (service("calls: []\n    checks: [{get: /}, {get: /}]"), 6, 24),
    "bad-name": ("system: X", 1, 9),
    "reserved-name": ("system: x\nservices: {gateway: {app: m:a}}", 2, 12),
    "bad-variable": (service("env: {1A: x}"), 5, 11),
    "reserved-variable": (service("env: {LAMP_X: x}"), 5, 11),
    "bad-value": ("system: x\nsites: {a: {region: eu west}}", 2, 21),
    "bad-number": (service("rollout: {surge: 1.5}"), 5, 22),
    "out-of-range": ("system: x\ngateway: {port: 80800}", 2, 17),
    "bad-flag": (service("resilience: {hedge: maybe}"), 5, 25),
    "bad-choice": (service("scale: {on: load}"), 5, 17),
    "bad-duration": (service("drain: 30"), 5, 12),
    "bad-size": (service("resources: {memory: 512}"), 5, 25),
    "bad-percentage": (service("objective: {availability: 0.9}"), 5, 31),
    "bad-quantile": (service("objective: {latency: {q99: 1s}}"), 5, 27),
    "bad-money": ("system: x\nbudget: lots", 2, 9),
    "unsupported-currency": ("system: x\nbudget: 5 EUR/month", 2, 9),
    "bad-schedule": (JOB % "schedule: '0 25 * * *'", 2, 34),
    "bad-freeze": ("system: x\nfreeze: [weekends]", 2, 10),
    "unknown-timezone": ("system: x\ntimezone: Mars/Base", 2, 11),
    "bad-path": (service("route: a b"), 5, 12),
    "bad-json-path": (service("checks: [{get: /, expect: {json: $..a}}]"), 5, 38),
    "bad-pattern": (service("checks: [{get: /, expect: {matches: '('}}]"), 5, 41),
    "bad-reference": ("system: x\nservices: {w: {app: x y}}", 2, 21),
    "bad-command": (JOB.replace("x, %s", "'a \"b'"), 2, 21),
    "bad-image": ("system: x\nservices: {w: {image: UPPER}}", 2, 23),
    "bad-folder": (service("folder: ../x"), 5, 13),
    "bad-version": (service("python: {requirements: r.txt, version: 2.7}"), 5, 44),
    "unsupported-version": ("version: 2\nsystem: x", 1, 10),
    "bad-host": ("system: x\ngateway: {host: nowhere}", 2, 17),
    "bad-goal": (service("scale: {goal: fast}"), 5, 19),
    "no-way-to-run": ("system: x\nservices: {w: {}}", 2, 12),
    "two-ways-to-run": (service("image: x"), 5, 5),
    "min-above-max": (service("replicas: {min: 3, max: 2}"), 5, 21),
    "goal-unit": (service("scale: {on: cpu, goal: 3}"), 5, 28),
    "windows-swapped": (service("scale: {window: 5s, panic_window: 9s}"), 5, 39),
    "app-speaks-http1": (service("protocol: grpc"), 5, 15),
    "grpc-health": (
        "system: x\nservices: {w: {command: x, protocol: http2, health: {grpc: true}}}",
        2,
        53,
    ),
    "steps-not-ascending": (service("rollout: {steps: [50%, 5%, 100%]}"), 5, 28),
    "steps-end": (service("rollout: {steps: [5%, 50%]}"), 5, 27),
    "deleted-first": (STORE % "lifecycle: {archive: 9d, delete: 1d}", 2, 61),
    "kept-too-short": (STORE % "backup: {every: 9d, keep: 1d}", 2, 54),
    "not-in-override": (service("at: {here: {site: here}}"), 5, 17),
    "duplicate-workload": ("system: x\nservices: {w: {app: m:a}}\njobs: {w: {command: x}}", 3, 8),
    "unknown-workload": (service("needs: [wbe]"), 5, 13),
    "unknown-secret": (service("secrets: [key]"), 5, 15),
    "unknown-site": (service("site: prod"), 5, 11),
    "no-default-site": (TWO, 2, 1),
    "agents-at-zero": ("system: x\nagents: {r: {agent: m:A, replicas: {min: 0, max: 2}}}", 2, 36),
    "duplicate-route": ("system: x\nservices: {a: {app: m:a, route: /x}, b: {app: m:b, route: /x}}", 2, 59),
    "needs-cycle": (service("needs: [web]"), 5, 13),
}
ASIDE = {"duplicate-item": "unknown-key", "goal-unit": ""}
"""Codes whose example shows another fault too."""

OK = "app: m:app, health: {path: /h}, route: /"
WARNINGS = {
    "nothing-to-run": "system: x",
    "no-health-path": "system: x\nservices: {w: {app: m:app, route: /}}",
    "no-route": "system: x\nservices: {w: {app: m:app, health: {path: /h}}}",
    "open-gateway": f"system: x\ngateway: {{host: 0.0.0.0}}\nservices: {{w: {{{OK}}}}}",
    "always-frozen": "system: x\nfreeze: [Mon 00:00 - Fri 00:00, Thu 12:00 - Mon 12:00]\n"
    f"services: {{w: {{{OK}}}}}",
    "unused-secret": f"system: x\nsecrets: {{a: {{from: env}}}}\nservices: {{w: {{{OK}}}}}",
    "tenants-over-budget": "system: x\nbudget: 1 USD/day\ntenants: {a: {budget: 1 USD/hour}}\n"
    f"services: {{w: {{{OK}}}}}",
    "single-replica": f"system: x\nservices: {{w: {{{OK}, objective: {{availability: 99%}}}}}}",
    "no-room-to-scale": f"system: x\nservices: {{w: {{{OK}, replicas: 2, scale: {{goal: 3}}}}}}",
    "no-room-to-roll-out": f"system: x\nservices: {{w: {{{OK}, replicas: 2, rollout: {{surge: 0}}}}}}",
    "idle-without-zero": "system: x\n"
    f"services: {{w: {{{OK}, replicas: {{min: 1, max: 2}}, scale: {{idle: 1m}}}}}}",
    "drain-too-short": f"system: x\nservices: {{w: {{{OK}, drain: 1s, resilience: {{timeout: 5s}}}}}}",
    "nested-route": f"system: x\nservices: {{w: {{{OK}a}}, v: {{{OK}a/b}}}}",
    "idle-replicas": "system: x\nagents: {r: {agent: m:A, partitions: 2, replicas: 3}}",
    "spot-without-checkpoint": "system: x\njobs: {j: {command: x, spot: true}}",
    "secret-in-spec": f"system: x\nservices: {{w: {{{OK}, env: {{API_KEY: abc}}}}}}",
    "not-expanded": f'system: x\nservices: {{w: {{{OK}, env: {{A: "$HOME/x"}}}}}}',
}


@pytest.mark.parametrize("code", sorted(FAULTS))
def test_each_fault_can_be_met_where_it_stands(code: str) -> None:
    """Each code is found, at the place to mend."""
    text, line, column = FAULTS[code]
    found = [each for each in faults(text) if each.code == code]
    assert [(line, column)] == [(each.line, each.column) for each in found]


@pytest.mark.parametrize("code", sorted(WARNINGS))
def test_each_warning_can_be_met(code: str) -> None:
    """Each warning is given for what it is about, and for nothing else."""
    assert [code] == [each.code for each in check(WARNINGS[code]).warnings]


def test_no_code_is_without_an_example() -> None:
    """Codes, their examples and their paragraphs are the same set."""
    known = codes()
    assert {each for each, code in known.items() if not code.warning} == FAULTS.keys()
    assert {each for each, code in known.items() if code.warning} == WARNINGS.keys()


def test_each_code_explains_itself() -> None:
    """A code's paragraph is a sentence or more."""
    assert [] == [
        name for name, code in codes().items() if len(code.text) < 30 or not code.text.endswith(".")
    ]
