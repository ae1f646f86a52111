"""Open-loop load, the judgement of what came back, and the faults to go with it.

`traffic` and `profile` say what is sent and when; `generator` sends it (by `http` and `websocket`) in a
process that `driver` starts; `sample` judges each request and `tally` sums up; `capacity` steps the rate;
`chaos` kills; `executions` counts what the workloads really did.
"""

from benchmarks.load.capacity import Capacity, Probe, Step, measure_capacity
from benchmarks.load.chaos import Beat, InFlightFiles, Kill, Kills, kill_randomly, strike
from benchmarks.load.driver import GeneratorError, Load, measured, running
from benchmarks.load.executions import Executions, count_executions
from benchmarks.load.generator import Event, Generator, Progress, Started
from benchmarks.load.profile import Stage, arrivals
from benchmarks.load.sample import Fate, Sample
from benchmarks.load.tally import Honesty, Percentiles, Report, Second, first_served, percentiles, summarise
from benchmarks.load.traffic import Kind, Traffic

__all__ = [
    "Beat",
    "Capacity",
    "Event",
    "Executions",
    "Fate",
    "Generator",
    "GeneratorError",
    "Honesty",
    "InFlightFiles",
    "Kill",
    "Kills",
    "Kind",
    "Load",
    "Percentiles",
    "Probe",
    "Progress",
    "Report",
    "Sample",
    "Second",
    "Stage",
    "Started",
    "Step",
    "Traffic",
    "arrivals",
    "count_executions",
    "first_served",
    "kill_randomly",
    "measure_capacity",
    "measured",
    "percentiles",
    "running",
    "strike",
    "summarise",
]
