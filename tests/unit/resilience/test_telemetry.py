"""What OpenTelemetry sees, where it is installed: sums by dependency, and a retry on the span."""

import json
import subprocess
import sys

import pytest
from tests.unit.resilience.clocks import Clock, Flaky, dependency

from lamplighter.runtime.resilience import Policy

PROGRAM = """
import json
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from lamplighter.runtime.resilience import policy
reader = InMemoryMetricReader()
metrics.set_meter_provider(MeterProvider([reader]))
trace.set_tracer_provider(TracerProvider())
answers = [ConnectionError()]
@policy("search")
def ask():
    if answers:
        raise answers.pop()
with trace.get_tracer("test").start_as_current_span("asking") as span:
    ask()
scopes = reader.get_metrics_data().resource_metrics[0].scope_metrics
sums = {m.name: [[dict(p.attributes), p.value] for p in m.data.data_points] for m in scopes[0].metrics}
print(json.dumps([sums["lamp.call.tries"], [each.name for each in span.events]]))
"""


def test_opentelemetry_sees_sums_and_events() -> None:
    """Two tries of one call, and the retry as an event of the span in which it was made."""
    pytest.importorskip("opentelemetry.sdk", reason="OpenTelemetry is not installed")
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True, timeout=60)
    assert [[[{"peer.service": "search"}, 2]], ["retry"]] == json.loads(ran.stdout)


def test_counters_add_up() -> None:
    """One call, two tries, one failure, one retry; nothing else."""
    made = dependency(Clock(), pause_s=0.0)
    Policy(made)(Flaky(1).__call__)()
    counted = {name: sum_ for name, sum_ in made.counters.as_dict().items() if sum_}
    assert {"calls": 1, "tries": 2, "failures": 1, "retries": 1} == counted
