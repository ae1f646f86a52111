"""Specs that tests read, and short ways to ask what is wrong with one."""

from random import Random

from benchmarks.specs.writer import Draft, draft

from lamplighter.model.errors import Fault, SpecError
from lamplighter.spec import parse

LIBRARY = """\
version: 1
system: library
gateway: {port: 8080}
timezone: UTC
default_site: here
sites:
  here: {target: local}
  prod: {target: kubernetes, context: prod, region: eu-west-1}
services:
  search:
    app: library.search:app
    python: {requirements: uv.lock}
    env: {LIBRARY_LANG: en}
    secrets: [model_key]
    needs: [model]
    replicas: {min: 2, max: 10}
    scale: {on: in_flight, goal: 8}
    resources: {cpu: 1, memory: 512Mi, gpu: 0.25}
    health: {path: /healthz}
    route: /search
    checks: [{get: "/ask?q=zip", expect: {status: 200, json: $.answers[0]}}]
    drain: 30s
    rollout: {steps: [5%, 25%, 100%], bake: 2m, surge: 1}
    resilience: {timeout: 2s, retries: 2, breaker: {errors: 50%, window: 10s}, fallback: cached, hedge: false}
    objective: {availability: 99.9%, latency: {p99: 300ms}, window: 30d}
    at: {prod: {replicas: {min: 4}}}
  model:
    command: python -m library.model --port $PORT
agents:
  reader: {agent: library.swarm:Reader, partitions: 64, replicas: {min: 2, max: 8}, calls: [search, model]}
jobs:
  index:
    {command: python -m library.index, runs_on: process, schedule: "0 2 * * *", deadline: 4h, spot: true,
     checkpoint: 10m}
queues: {events: {broker: nats}}
stores: {shelf: {kind: object, backup: {every: 1h, keep: 7d}, lifecycle: {archive: 30d, delete: 365d}}}
secrets: {model_key: {from: env}}
tenants: {lab-a: {share: 2, budget: 300 USD/month}}
budget: 500 USD/month
freeze: ["Fri 18:00 - Mon 08:00"]
guards: {actions: 100, window: 5m, at_risk: 25%}
approvals: {above: {blast_radius: 25%}}
"""
"""Every part of the language in one system."""


def faults(text: str | bytes) -> tuple[Fault, ...]:
    """Return the faults of a spec; none if it is sound."""
    try:
        parse(text)
    except SpecError as error:
        return error.faults()
    return ()


def service(rest: str) -> str:
    """Return a spec with one service, `web`, and more keys of it on line 5."""
    return f"system: x\nservices:\n  web:\n    app: main:app\n    {rest}\n"


def placed(text: str | bytes) -> list[tuple[str, int, int]]:
    """Return code, line and column of each fault."""
    return [(each.code, each.line, each.column) for each in faults(text)]


def sound(seed: int) -> Draft:
    """Return a generated spec that is sound."""
    return draft(Random(seed))  # noqa: S311 - it is to be foreseen
