"""Durable turns: processor time each over all of our processes, turns a second, delay of acknowledgement.

Hosts and a client in processes of their own, over unix sockets. A message changes an agent's state and is
passed on to another agent, which changes too: two turns and one send, of which half cross hosts. A message
is acknowledged once the frame with its turn is synced.
"""

import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.report import Options, at_least, at_most

AGENTS, QUICK = 1_000_000, 50_000
CPU_US, ONE_CORE, TWO_CORES, P99_S = 20.0, 50_000, 80_000, 0.025
ROUNDS = 3
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Swarm:
    """Running hosts and their client."""

    hosts: list[subprocess.Popen[str]]
    client: subprocess.Popen[str]

    def order(self, what: str, **terms: Any) -> dict[str, float]:
        """Give the client an order; return its answer and the processor time that hosts took meanwhile."""
        assert self.client.stdin is not None
        self.client.stdin.write(json.dumps({"do": what, **terms}) + "\n")
        self.client.stdin.flush()
        if what != "load":
            assert self._line() == "begin"
        before, waited = self._cpu(), self._waited()
        found: dict[str, float] = self._line()
        found["hosts_cpu_s"] = self._cpu() - before
        found["waited_s"] = self._waited() - waited
        return found

    def _line(self) -> Any:
        assert self.client.stdout is not None
        line = self.client.stdout.readline()
        assert line, "the client has ended"
        return json.loads(line)

    def _waited(self) -> float:
        """Seconds for which threads of hosts and client were ready to run, and the machine ran others."""
        total = 0
        for process in [*self.hosts, self.client]:
            for thread in Path(f"/proc/{process.pid}/task").iterdir():
                total += int((thread / "schedstat").read_text().split()[1])
        return total / 1e9

    def _cpu(self) -> float:
        """Processor time of all threads of all hosts so far."""
        total = 0
        for host in self.hosts:
            fields = Path(f"/proc/{host.pid}/stat").read_text().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICKS


@contextlib.contextmanager
def swarm(hosts: int, agents: int, folder: Path | None) -> Iterator[Swarm]:
    """Run hosts and a client, and leave nothing behind."""
    home = Path(tempfile.mkdtemp(prefix="turns-", dir=folder))
    sockets = ",".join(str(home / f"{number}.sock") for number in range(hosts))
    made: list[subprocess.Popen[str]] = []
    try:
        made += [_process("host", str(n), str(home / f"host{n}"), sockets) for n in range(hosts)]
        for host in made:
            assert host.stdout is not None
            assert host.stdout.readline() == "ready\n", "a host could not start"
        made.append(_process("client", str(agents), sockets))
        yield Swarm(made[:hosts], made[-1])
    finally:
        for process in reversed(made):
            assert process.stdin is not None
            process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            process.wait()
        shutil.rmtree(home)


def measure(options: Options, agents: int | None, folder: Path | None) -> None:
    """Measure one host, then two: flooded, at half of what that gave, and one message at a time.

    Beside the delay stands for how long our threads were ready and the machine ran others, as a share of the
    time: a busy machine delays acknowledgements that the host has not.
    """
    agents = agents or (QUICK if options.quick else AGENTS)
    messages = 50_000 if options.quick else 300_000
    figures = options.figures
    for hosts in (1, 2):
        with swarm(hosts, agents, folder) as running:
            options.progress(f"turns: {hosts} hosts, {agents} agents")
            running.order("load")
            floods = {
                name: [
                    running.order("flood", messages=messages, seed=options.seed + n, zipf=zipf)
                    for n in range(1 if options.quick else ROUNDS)
                ]
                for name, zipf in (("uniform", False), ("zipf", True))
            }
            rate = statistics.median(messages / flood["seconds"] for flood in floods["uniform"])
            paced = running.order("pace", rate=rate / 2, seconds=5.0, seed=options.seed + 100, zipf=False)
            single = running.order("single", seconds=2.0, seed=options.seed + 200)
            parts = {"single": single, "floods": floods, "paced": paced, "rate": rate}
            options.figures.parts[f"turns_{hosts}"] = parts
        for name, runs in floods.items():
            cpu = statistics.median((run["hosts_cpu_s"] + run["cpu_s"]) / messages * 1e6 for run in runs)
            per_s = statistics.median(messages / run["seconds"] for run in runs)
            where = f"{hosts}_hosts_{name}"
            figures.put(f"turn_cpu_us_{where}", cpu / 2, at_most(CPU_US))
            figures.put(f"message_cpu_us_{where}", cpu)
            figures.put(f"turns_per_s_{where}", per_s * 2, at_least(ONE_CORE if hosts == 1 else TWO_CORES))
        figures.put(f"half_load_ack_p50_s_{hosts}_hosts", paced["p50_s"])
        figures.put(f"half_load_ack_p99_s_{hosts}_hosts", paced["p99_s"], at_most(P99_S))
        figures.put(f"half_load_waited_share_{hosts}_hosts", paced["waited_s"] / paced["seconds"])
        figures.put(f"single_ack_p50_s_{hosts}_hosts", single["p50_s"])
        figures.put(f"single_ack_p99_s_{hosts}_hosts", single["p99_s"])


def message_cpu_us(options: Options, folder: Path | None) -> float:
    """Return the processor time of one host for a durable message between agents, the client's apart."""
    messages = QUICK if options.quick else AGENTS // 5
    with swarm(1, QUICK, folder) as running:
        running.order("load")
        flood = running.order("flood", messages=messages, seed=options.seed, zipf=False)
    return flood["hosts_cpu_s"] / messages / 2 * 1e6


def _process(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.agents.swarm", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
