"""The command `python -m benchmarks.load`: one run, as JSON lines for programs or as a summary for people."""

import argparse
import asyncio
import os
import queue
import resource
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import msgspec

from benchmarks.load.generator import Event, Generator, Started
from benchmarks.load.profile import Stage, parse_stages
from benchmarks.load.tally import Report
from benchmarks.load.traffic import Traffic, parse_mix

FLUSH_EVERY_S = 0.1
VALID, INVALID, USER_ERROR = 0, 1, 2

EPILOG = """\
examples:
  python -m benchmarks.load http://127.0.0.1:8080 --rate 200 --seconds 30 --mix get=8,post-key=1,post=1
  python -m benchmarks.load http://127.0.0.1:8080 --stages 10:50,20:50-250,10:250 --json > run.jsonl
  python -m benchmarks.load --traffic - --json      # the traffic as one JSON line on standard input;
                                                    # when that closes, sending stops

exit codes: 0 the run is valid, 1 the generator could not keep up or the server had no address,
2 the command line is wrong
"""


class Lines:
    """Writes events as JSON lines from a thread of its own, so that a slow reader never delays a request."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._encoder = msgspec.json.Encoder()
        self._waiting: list[bytes] = []
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def emit(self, event: Event) -> None:
        """Take an event; it is written at the next flush."""
        self._waiting.append(self._encoder.encode(event))

    def flush(self) -> None:
        """Hand what waits to the writing thread."""
        if self._waiting:
            self._queue.put(b"\n".join(self._waiting) + b"\n")
            self._waiting.clear()

    def close(self) -> None:
        """Write what waits and stop; a reader that went away is no error."""
        self.flush()
        self._queue.put(None)
        self._thread.join()

    def _write(self) -> None:
        with suppress(BrokenPipeError):
            while (lines := self._queue.get()) is not None:
                self._out.write(lines)
                self._out.flush()


def main(arguments: Sequence[str]) -> int:
    """Run the command with its arguments and return its exit code."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    try:
        traffic = _traffic(asked)
    except (ValueError, OSError) as error:
        print(f"benchmarks.load: {error}", file=sys.stderr)
        return USER_ERROR
    _raise_file_limit()
    try:
        report = asyncio.run(_run(traffic, asked))
    except OSError as error:
        print(f"benchmarks.load: {traffic.host}: {error}", file=sys.stderr)
        return INVALID
    if not asked.json:
        print(summary(report))
    return VALID if report.generator.valid else INVALID


async def _run(traffic: Traffic, asked: argparse.Namespace) -> Report:
    lines = Lines(sys.stdout.buffer) if asked.json else None
    generator = Generator(traffic, lines.emit if lines else _ignore)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, generator.stop)
    if asked.traffic == "-":
        loop.add_reader(sys.stdin.fileno(), _stop_at_end, generator, loop)
    flushing = asyncio.create_task(_flush(lines)) if lines else None
    report = await generator.run()
    if lines and flushing:
        flushing.cancel()
        lines.emit(report)
        await asyncio.to_thread(lines.close)
    return report


def summary(report: Report) -> str:
    """A run for people: counts by kind and fate, latencies, the first failures, and how the generator did."""
    lines = [
        f"{report.requests} requests in {report.seconds:.1f} s: {report.failed} failed, {report.cut} cut"
    ]
    for kind, fates in report.totals.items():
        p = report.latency[kind]
        counts = ", ".join(f"{n} {fate}" for fate, n in sorted(fates.items()))
        lines.append(f"  {kind}: {counts}; p50 {p.p50:.3f} s, p99 {p.p99:.3f} s, most {p.most:.3f} s")
    lines += [
        f"  {sample.scheduled_at - report.started_at:8.2f} s  {sample.kind} {sample.fate}: {sample.why}"
        for sample in [*report.failures, *report.cuts]
    ]
    g = report.generator
    lines.append(
        f"  generator: {g.lag_p99_s * 1000:.1f} ms late at p99, {g.cpu_share:.2f} of a core, "
        f"{g.cpu_per_request_s * 1e6:.0f} us a request; {'valid' if g.valid else 'INVALID: ' + g.why}"
    )
    return "\n".join(lines)


async def _flush(lines: Lines) -> None:
    while True:
        await asyncio.sleep(FLUSH_EVERY_S)
        lines.flush()


def _ignore(event: Event) -> None:
    if isinstance(event, Started):
        print("started", file=sys.stderr)


def _stop_at_end(generator: Generator, loop: asyncio.AbstractEventLoop) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        loop.remove_reader(sys.stdin.fileno())
        generator.stop()


def _traffic(asked: argparse.Namespace) -> Traffic:
    if asked.traffic == "-":
        return msgspec.json.decode(_first_line(), type=Traffic)
    if asked.traffic:
        return msgspec.json.decode(Path(asked.traffic).read_bytes(), type=Traffic)
    if asked.url is None:
        raise ValueError("say where to send: a url, or --traffic FILE; --help has examples")
    stages = parse_stages(asked.stages) if asked.stages else (Stage(asked.seconds, asked.rate),)
    return Traffic(
        url=asked.url,
        stages=stages,
        mix=parse_mix(asked.mix),
        spacing=asked.spacing,
        seed=asked.seed,
        slow_s=asked.slow_s,
    )


def _first_line() -> bytes:
    """Standard input's first line, unbuffered, so that its end can still be waited for."""
    line = bytearray()
    while (piece := os.read(sys.stdin.fileno(), 1)) not in (b"", b"\n"):
        line += piece
    return bytes(line)


def _raise_file_limit() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.load",
        description="Sends requests when they are due and records what became of each.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("url", nargs="?", help="http://HOST:PORT of what is measured")
    parser.add_argument("--rate", type=float, default=10.0, help="requests per second (10)")
    parser.add_argument("--seconds", type=float, default=10.0, help="for how long (10)")
    parser.add_argument("--stages", help="SECONDS:RATE[-RATE],... instead of --rate and --seconds")
    parser.add_argument(
        "--mix", default="get", help="KIND[=WEIGHT],... of get, post-key, post, stream, websocket"
    )
    parser.add_argument("--spacing", choices=["poisson", "constant"], default="poisson")
    parser.add_argument("--seed", type=int, default=1, help="every random draw comes from it (1)")
    parser.add_argument("--slow-s", type=float, default=2.0, help="later than this has failed (2)")
    parser.add_argument(
        "--traffic", metavar="FILE", help="all of it as JSON; - reads one line of standard input"
    )
    parser.add_argument(
        "--json", action="store_true", help="JSON lines on standard output instead of a summary"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
