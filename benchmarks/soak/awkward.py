"""An awkward app: it leaks, writes far too much log, and does not listen to SIGTERM. One plain file."""

import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LEAK_BYTES = 1 << 19
LOG_BYTES = 100_000
KEPT: list[bytes] = []


class Handler(BaseHTTPRequestHandler):
    """Says that all is well."""

    def do_GET(self) -> None:
        """Answer whatever is asked."""
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep quiet; `grow` writes enough."""


def grow() -> None:
    """Take half a mebibyte and write a hundred kilobytes each second."""
    while True:
        KEPT.append(os.urandom(1) * LEAK_BYTES)
        try:
            sys.stdout.write(("a line that nobody will ever read " * 3 + "\n") * (LOG_BYTES // 103))
            sys.stdout.flush()
        except OSError:
            pass
        time.sleep(1)


def main() -> None:
    """Serve on $PORT until killed."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=grow, daemon=True).start()
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()


if __name__ == "__main__":
    main()
