"""The open-loop generator: sends each request when it is due, whether or not earlier ones were answered.

Latency counts from the moment a request was due, so a server that stalls is charged for every request that
fell into the stall (no coordinated omission: Tene, "How NOT to Measure Latency", 2013). Runs in a process of
its own so that what it measures does not slow it; `driver` starts that process.
"""

import asyncio
import gc
import socket
import time
from array import array
from collections.abc import Callable
from contextlib import suppress

import msgspec

from benchmarks.load.http import Exchange, Pool
from benchmarks.load.profile import arrivals, duration_s
from benchmarks.load.sample import ENDLESS, Sample, Seen, judge
from benchmarks.load.tally import Report, Tally, honesty, percentiles
from benchmarks.load.traffic import Kind, Traffic
from benchmarks.load.websocket import Held, hold

HEAD_START_S = 0.2
"""Time between the word `started` and the first request due."""
PROGRESS_EVERY_S = 1.0
SWEEP_EVERY_S = 0.25
SETTLE_EXTRA_S = 1.0
UNSAFE = frozenset({Kind.POST, Kind.POST_KEYED})

now = time.monotonic


class Started(msgspec.Struct, kw_only=True, tag="started"):
    """The generator is up; offset 0 of the stages is the monotonic moment `started_at`."""

    started_at: float
    pid: int = 0


class Progress(msgspec.Struct, kw_only=True, tag="progress"):
    """Where the run stands, once a second; counts are since the start."""

    elapsed_s: float
    sent: int
    ended: int
    failed: int
    cut: int
    in_flight: int
    lag_p99_s: float
    cpu_share: float


Event = Started | Sample | Progress | Report
Emit = Callable[[Event], None]


class Generator:
    """One run of one traffic against one server; make a new one for each run.

    Args:
        traffic: what to send.
        emit: is handed every event as it happens, in this process, on the loop; must not block.
    """

    def __init__(self, traffic: Traffic, emit: Emit) -> None:
        self._traffic = traffic
        self._emit = emit
        self._tally = Tally(traffic.failures_max)
        self._lags = array("d")
        self._held: set[asyncio.Task[None]] = set()
        self._in_flight = 0
        self._quiet = asyncio.Event()
        self._sending: asyncio.Task[None] | None = None
        self._pool: Pool | None = None
        self._common = "".join(f"{name}: {value}\r\n" for name, value in traffic.headers.items())

    async def run(self) -> Report:
        """Send everything that is due, wait for what is under way, and sum up."""
        traffic = self._traffic
        self._pool = Pool(address(traffic.host), traffic.port, traffic.idle_s, traffic.connections_max)
        # A collection over a long run's records would stop the sending for tens of milliseconds.
        gc.collect()
        gc.freeze()
        started_at, cpu_before = now() + HEAD_START_S, time.process_time()
        self._emit(Started(started_at=started_at))
        self._sending = asyncio.create_task(self._send_all(started_at))
        watching = asyncio.create_task(self._watch(started_at, cpu_before))
        try:
            await asyncio.wait([self._sending])
            self._rest()
            await self._settle()
        finally:
            watching.cancel()
            self._pool.close()
        return self._report(started_at, time.process_time() - cpu_before)

    def stop(self) -> None:
        """Send nothing more; `run` then waits for what is under way and returns."""
        if self._sending is not None:
            self._sending.cancel()

    async def _send_all(self, started_at: float) -> None:
        traffic = self._traffic
        schedule = zip(arrivals(traffic.stages, traffic.seed, traffic.spacing), traffic.kinds(), strict=False)
        for n, (offset, kind) in enumerate(schedule):
            due = started_at + offset
            ahead = due - now()
            if ahead > 0:
                await asyncio.sleep(ahead)
            self._send(n, kind, due)
        await asyncio.sleep(max(0.0, started_at + duration_s(traffic.stages) - now()))

    def _send(self, n: int, kind: Kind, due: float) -> None:
        late_s = now() - due
        self._lags.append(late_s)
        self._in_flight += 1
        if kind is Kind.WEBSOCKET:
            task = asyncio.create_task(self._hold(n, due, late_s))
            self._held.add(task)
            task.add_done_callback(self._held.discard)
            return
        assert self._pool is not None
        length = self._traffic.stream_s if kind is Kind.STREAM else 0.0
        deadline = due + self._traffic.give_up_s + length
        exchange = Exchange(
            self._payload(n, kind), deadline, lambda it: self._answered(n, kind, due, late_s, it)
        )
        self._pool.start(exchange)

    def _payload(self, n: int, kind: Kind) -> bytes:
        traffic = self._traffic
        identity = traffic.identity(n)
        body = f'{{"id":"{identity}"}}' if kind in UNSAFE else ""
        length = f"content-type: application/json\r\ncontent-length: {len(body)}\r\n" if body else ""
        keyed = f"idempotency-key: {identity}\r\n" if kind is Kind.POST_KEYED else ""
        return (
            f"{'POST' if body else 'GET'} {traffic.path(kind, n)} HTTP/1.1\r\n"
            f"host: {traffic.host}:{traffic.port}\r\nx-load-id: {identity}\r\n"
            f"{self._common}{keyed}{length}\r\n{body}"
        ).encode("latin-1")

    def _answered(self, n: int, kind: Kind, due: float, late_s: float, exchange: Exchange) -> None:
        traffic, headers = self._traffic, exchange.headers
        took_s = exchange.ended_at - due
        whole, why = exchange.whole, exchange.why
        if whole and kind is Kind.STREAM and traffic.stream_end not in exchange.tail:
            whole, why = False, "ended properly but before its end mark"
        waited_s = exchange.headers_at - due if exchange.headers_at else None
        seen = Seen(kind, took_s, waited_s, exchange.status, whole, why, connected=exchange.connected)
        fate, reason = judge(seen, traffic.slow_s)
        self._ended(
            Sample(
                n=n,
                kind=kind,
                scheduled_at=due,
                late_s=late_s,
                latency_s=waited_s if kind in ENDLESS and waited_s is not None else took_s,
                took_s=took_s,
                fate=fate,
                why=reason,
                status=exchange.status,
                reason=headers.get(b"x-lamp-reason", b"").decode("latin-1"),
                replica=headers.get(b"x-replica", b"").decode("latin-1"),
                pid=number(headers.get(b"x-pid", b"")),
                reused=exchange.reused,
                count=exchange.count,
                gap_s=exchange.gap_s,
            )
        )

    async def _hold(self, n: int, due: float, late_s: float) -> None:
        traffic = self._traffic
        uri = f"ws://{traffic.host}:{traffic.port}{traffic.path(Kind.WEBSOCKET, n)}"
        headers = {**traffic.headers, "x-load-id": traffic.identity(n)}
        held = await hold(uri, headers, traffic.websocket_s, traffic.give_up_s)
        self._ended(_sample_of(held, traffic, (n, due, late_s)))

    def _ended(self, sample: Sample) -> None:
        self._in_flight -= 1
        self._tally.add(sample)
        self._emit(sample)
        self._rest()

    def _rest(self) -> None:
        if not self._in_flight and self._sending is not None and self._sending.done():
            self._quiet.set()

    async def _watch(self, started_at: float, cpu_before: float) -> None:
        told_at, told_lags = started_at, 0
        while True:
            await asyncio.sleep(SWEEP_EVERY_S)
            moment = now()
            assert self._pool is not None
            self._pool.sweep(moment)
            if moment - told_at >= PROGRESS_EVERY_S:
                cpu_share = (time.process_time() - cpu_before) / (moment - started_at)
                self._emit(self._progress(moment - started_at, told_lags, cpu_share))
                told_at, told_lags = moment, len(self._lags)

    def _progress(self, elapsed_s: float, told_lags: int, cpu_share: float) -> Progress:
        return Progress(
            elapsed_s=elapsed_s,
            sent=len(self._lags),
            ended=self._tally.requests,
            failed=self._tally.failed,
            cut=self._tally.cut,
            in_flight=self._in_flight,
            lag_p99_s=percentiles(self._lags[told_lags:]).p99,
            cpu_share=cpu_share,
        )

    async def _settle(self) -> None:
        traffic = self._traffic
        longest = max(traffic.stream_s * (Kind.STREAM in traffic.mix), traffic.websocket_s * bool(self._held))
        until = now() + longest + 2 * traffic.give_up_s + SETTLE_EXTRA_S
        with suppress(TimeoutError):
            async with asyncio.timeout(until - now()):
                await self._quiet.wait()

    def _report(self, started_at: float, cpu_s: float) -> Report:
        assert self._pool is not None
        seconds = now() - started_at
        shortage = "the generator ran out of connections" if self._pool.short else ""
        if self._in_flight:
            shortage = f"{self._in_flight} requests never ended"
        return self._tally.report(honesty(self._lags, cpu_s, seconds, shortage), started_at, seconds)


def _sample_of(held: Held, traffic: Traffic, sent: tuple[int, float, float]) -> Sample:
    n, due, late_s = sent
    took_s = now() - due
    waited_s = held.opened_at - due if held.opened_at else None
    seen = Seen(
        Kind.WEBSOCKET, took_s, waited_s, held.status, whole=not held.why, why=held.why,
        connected=held.connected,
        close_code=held.close_code, closed_by=held.closed_by, gap_s=held.gap_s,
    )  # fmt: skip
    fate, why = judge(seen, traffic.slow_s)
    return Sample(
        n=n, kind=Kind.WEBSOCKET, scheduled_at=due, late_s=late_s, took_s=took_s, fate=fate, why=why,
        latency_s=took_s if waited_s is None else waited_s, status=held.status, reason=held.reason,
        replica=held.replica, pid=held.pid, count=held.echoes, gap_s=held.gap_s, close_code=held.close_code,
        closed_by=held.closed_by,
    )  # fmt: skip


def address(host: str) -> str:
    """The numeric address of a host, looked up once before anything is measured.

    Raises:
        OSError: the name does not resolve.
    """
    return str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])


def number(text: bytes) -> int:
    """A whole number, 0 for anything else."""
    return int(text) if text.isdigit() else 0
