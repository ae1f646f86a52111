"""A load generator for what is faster than Python: one thread, raw sockets, one request at a time on each.

It asks for one path and takes an answer of known length, so that a request costs some 20 us of a core
(`generator` costs ten times that, and knows what became of each request). Closed-loop it sends the next
request on a connection when the answer is there; open-loop when it is due, and times it from then on.

    python -m benchmarks.load.hammer PORT --path /work --connections 32 --seconds 5 [--rate 2000]
"""

import argparse
import gc
import json
import select
import socket
import sys
import time
from array import array
from collections import deque
from collections.abc import Sequence
from random import Random

from benchmarks.load.tally import nearest_rank

now = time.perf_counter
RECEIVED_BYTES = 65536
GOOD = b"HTTP/1.1 200"
WAIT_S = 2.0
"""For the last answers."""
SPIN_S = 0.0002
"""A wait shorter than this is not slept: a sleep ends some 60 us late."""
SHARES = {"p50_s": 0.5, "p90_s": 0.9, "p99_s": 0.99, "p999_s": 0.999}


class Hammer:
    """Connections to one server, all of them asking for the same."""

    def __init__(self, port: int, path: str, connections: int) -> None:
        """Connect; raises OSError if nothing listens."""
        self.request = f"GET {path} HTTP/1.1\r\nhost: localhost:{port}\r\n\r\n".encode()
        self._poll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        for _ in range(connections):
            one = socket.create_connection(("127.0.0.1", port))
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets[one.fileno()] = one
            self._poll.register(one.fileno(), select.EPOLLIN)
        self.done = self.bad = self._length = 0
        self._pieces: dict[int, bytes] = {}
        for one in self._sockets.values():
            self._asked(one)

    def _asked(self, one: socket.socket) -> None:
        """Ask once, so that no connection is new when it counts, and learn how long an answer is."""
        one.sendall(self.request)
        answer = one.recv(RECEIVED_BYTES)
        while not (whole := _whole(answer)) or len(answer) < whole:
            answer += one.recv(RECEIVED_BYTES)
        assert answer.startswith(GOOD), f"the server answered {answer[:60]!r}"
        self._length = whole

    def closed(self, seconds: float) -> float:
        """Keep every connection busy for so long; return the answers a second, the last ones not counted."""
        sockets, request, poll = self._sockets, self.request, self._poll.poll
        begun, before = now(), self.done
        moment, until = begun, begun + seconds
        for one in sockets.values():
            one.send(request)
        while moment < until:
            for number, _ in poll(0.5):
                one = sockets[number]
                if self._took(number, one.recv(RECEIVED_BYTES)):
                    one.send(request)
            moment = now()
        per_s = (self.done - before) / (moment - begun)
        self._drained(len(sockets))
        return per_s

    def open(self, rate: float, seconds: float, seed: int) -> "tuple[array[float], float]":
        """Send at a rate (Poisson arrivals).

        Returns:
            Each answer's seconds since it was due, and how late was sent at p99.
        """
        draw, begun = Random(f"hammer:{seed}"), now()
        due, until = begun, begun + seconds
        idle, waiting, of = deque(self._sockets), deque[float](), dict[int, float]()
        took, late = array("d"), array("d")
        while True:
            moment = now()
            while due <= moment and due < until:
                waiting.append(due)
                due += draw.expovariate(rate)
            while waiting and idle:
                number = idle.popleft()
                of[number] = waiting.popleft()
                late.append(now() - of[number])
                self._sockets[number].send(self.request)
            if due >= until and not of and not waiting:
                return took, nearest_rank(sorted(late), 0.99)
            assert moment < until + WAIT_S, f"{len(of)} requests were never answered"
            left = due - moment
            for number, _ in self._poll.poll(left - SPIN_S if left > SPIN_S else 0.0):
                if self._took(number, self._sockets[number].recv(RECEIVED_BYTES)):
                    took.append(now() - of.pop(number))
                    idle.append(number)

    def _took(self, number: int, answer: bytes) -> bool:
        """Take what came on a connection; return whether the answer is whole."""
        if len(answer) != self._length or number in self._pieces:
            assert answer, "the server closed a connection"
            answer = self._pieces.pop(number, b"") + answer
            if not (whole := _whole(answer)) or len(answer) < whole:
                self._pieces[number] = answer
                return False
        if answer.startswith(GOOD):
            self.done += 1
        else:
            self.bad += 1
        return True

    def _drained(self, answers: int) -> None:
        """Take the answers that are still on their way."""
        until = now() + WAIT_S
        while answers > 0 and now() < until:
            for number, _ in self._poll.poll(0.1):
                answers -= self._took(number, self._sockets[number].recv(RECEIVED_BYTES))


def _whole(answer: bytes) -> int:
    """Return how long an answer is with its body; 0 while its head is not there."""
    head, end, _ = answer.partition(b"\r\n\r\n")
    if not end:
        return 0
    lines = head.lower().split(b"\r\n")
    length = next(line for line in lines if line.startswith(b"content-length:"))
    return len(head) + len(end) + int(length.split(b":")[1])


def main(arguments: Sequence[str]) -> int:
    """Run the command with its arguments; print what was measured as JSON."""
    asked = _parser().parse_args(arguments)
    hammer = Hammer(asked.port, asked.path, asked.connections)
    gc.collect()
    gc.freeze()
    gc.disable()
    told: dict[str, float] = {}
    if asked.rate:
        took, told["late_p99_s"] = hammer.open(asked.rate, asked.seconds, asked.seed)
        ranked = sorted(took)
        told |= {name: nearest_rank(ranked, share) for name, share in SHARES.items()}
    else:
        told["per_s"] = hammer.closed(asked.seconds)
    print(json.dumps({"requests": hammer.done, "bad": hammer.bad, **told}))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load.hammer")
    parser.add_argument("port", type=int)
    parser.add_argument("--path", default="/")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rate", type=float, default=0.0, help="requests a second; closed-loop if left out")
    parser.add_argument("--seed", type=int, default=1)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
