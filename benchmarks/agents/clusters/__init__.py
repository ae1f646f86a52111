"""A pool on a Ray cluster beside the same pool on this machine alone; Ray is installed apart.

Four nodes of one core each on this machine, an actor on each, against as many processes. All processor time
is counted: of the client, the hosts, and all that Ray runs besides.
"""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from benchmarks.agents.peers import environments
from benchmarks.report import Options, at_least

HERE = Path(__file__).parent
MESSAGES, QUICK, ROUNDS = 160_000, 16_000, 3
SHARES = {100: 0.6, 1000: 0.8}
"""Of the local rate for each core, by messages in a batch."""
DEADLINE_S = 900.0


def measure(options: Options, cache: Path | None) -> None:
    """Flood both, batch size by batch size, in turns."""
    try:
        python = environments.made("ray", cache or environments.cache(), HERE / "versions")
    except environments.AbsentError as error:
        options.progress(f"ray: skipped: {error}")
        return
    folder = Path(tempfile.mkdtemp(prefix="r"))  # short: Ray puts unix sockets far below it
    settings = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}  # loopback alone
    source = HERE.parents[2] / "src"
    numbers = (QUICK if options.quick else MESSAGES, 1 if options.quick else ROUNDS, options.seed)
    options.progress(f"ray: {numbers[1]} rounds of {numbers[0]} messages in batches of {list(SHARES)}")
    try:
        ran = subprocess.run(
            [str(python), str(HERE / "ray_pool.py"), str(folder), *map(str, numbers)],
            env={**os.environ, **settings, "PYTHONPATH": f"{source}:{HERE}"},
            stdout=subprocess.PIPE,
            timeout=DEADLINE_S,
            check=True,
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    found: dict[str, float] = json.loads(ran.stdout.splitlines()[-1])
    for batch, share in SHARES.items():
        figures = options.figures
        of_local = found[f"local_{batch}_cpu_us"] / found[f"ray_{batch}_cpu_us"]
        figures.put(f"ray_rate_per_core_of_local_{batch}", of_local, at_least(share))
        for what in ("per_s", "p50_s", "p99_s"):
            for where in ("local", "ray"):
                figures.put(f"{where}_{batch}_{what}", found[f"{where}_{batch}_{what}"])
    options.figures.parts["ray"] = found
