"""A gRPC server for tests, without generated code: messages are bytes. Prints its port when it listens.

Echo: the message comes back, after `--slower` seconds. Count: a stream of as many messages as the request
says, one each 0.1 s. Talk: each message comes back. Fail: ends with the status of that number. The health
protocol says that it serves, unless it is `--sick`.
"""

import argparse
import time
from collections.abc import Iterator
from concurrent import futures

import grpc


class Words:
    """The calls, by their names."""

    def __init__(self, name: str, slower_s: float) -> None:
        """Take the server's name, which every answer carries as metadata."""
        self.name, self.slower_s = name, slower_s

    def echo(self, message: bytes, context: grpc.ServicerContext) -> bytes:
        """Send the message back."""
        time.sleep(self.slower_s)
        context.send_initial_metadata((("x-from", self.name),))
        return message

    def count(self, message: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        """Send that many messages."""
        context.send_initial_metadata((("x-from", self.name),))
        for number in range(int(message)):
            yield str(number).encode()
            time.sleep(0.1)

    def talk(self, messages: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        """Send back what comes, as it comes."""
        context.send_initial_metadata((("x-from", self.name),))
        yield from messages

    def fail(self, message: bytes, context: grpc.ServicerContext) -> bytes:
        """End with a status."""
        code = next(each for each in grpc.StatusCode if each.value[0] == int(message))
        context.abort(code, "as told")
        return b""


def main() -> None:
    """Listen, print the port, serve."""
    options = argparse.ArgumentParser()
    options.add_argument("name")
    options.add_argument("--slower", type=float, default=0.0)
    options.add_argument("--sick", action="store_true")
    told = options.parse_args()
    words = Words(told.name, told.slower)
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=64))
    calls = {
        "Echo": grpc.unary_unary_rpc_method_handler(words.echo),
        "Count": grpc.unary_stream_rpc_method_handler(words.count),
        "Talk": grpc.stream_stream_rpc_method_handler(words.talk),
        "Fail": grpc.unary_unary_rpc_method_handler(words.fail),
    }
    status = b"\x08\x02" if told.sick else b"\x08\x01"
    health = {"Check": grpc.unary_unary_rpc_method_handler(lambda _message, _context: status)}
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler("words.Words", calls),
            grpc.method_handlers_generic_handler("grpc.health.v1.Health", health),
        )
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)  # noqa: T201 - the tests read it
    server.wait_for_termination()


if __name__ == "__main__":
    main()
