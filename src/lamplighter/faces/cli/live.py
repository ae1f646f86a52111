"""The live view: on a terminal the status redrawn in place, elsewhere a line for each thing that happens."""

import shutil
import sys

from lamplighter.app.client import Client
from lamplighter.app.views import Status
from lamplighter.faces.cli.render.ledger import entry_text
from lamplighter.faces.cli.render.status import status_text
from lamplighter.model.errors import LampError

REDRAW_S = 0.5
TOLD = ("decision", "closing", "intent")
LAST_EVENTS = 6


class View:
    """Shows a system as it changes. `quiet` shows nothing (for --json)."""

    def __init__(self, client: Client, *, quiet: bool = False) -> None:
        """Begin with what is written to the ledger from now on."""
        self._client = client
        self._quiet = quiet
        self._redraws = sys.stdout.isatty() and not quiet
        self._next = self._head() + 1
        self._events: list[str] = []
        self._lines = 0

    def show(self, status: Status) -> None:
        """Show one look."""
        if self._quiet:
            return
        fresh = self._fresh()
        if not self._redraws:
            for each in fresh:
                print(each, flush=True)
            return
        self._events = (self._events + fresh)[-LAST_EVENTS:]
        self._redraw([*status_text(status).splitlines(), "", *self._events])

    def _fresh(self) -> list[str]:
        try:
            entries = list(self._client.entries(since=self._next))
        except LampError:
            return []
        if entries:
            self._next = entries[-1].number + 1
        return [entry_text(each) for each in entries if each.kind in TOLD]

    def _redraw(self, lines: list[str]) -> None:
        """Draw over what was drawn before; what does not fit the screen is left out at the end."""
        rows, width = shutil.get_terminal_size()[1], shutil.get_terminal_size()[0]
        shown = [_cut(each, width) for each in lines[: rows - 1]]
        up = f"\x1b[{self._lines}A" if self._lines else ""
        sys.stdout.write(up + "".join(f"\x1b[2K{each}\n" for each in shown) + "\x1b[J")
        sys.stdout.flush()
        self._lines = len(shown)

    def _head(self) -> int:
        try:
            head = self._client.status().ledger
        except LampError:
            return 0
        return head.number if head else 0


def _cut(line: str, width: int) -> str:
    """Cut a line to the width of the screen; one with colours is cut only where it is far too long."""
    if "\x1b" in line:
        return line if len(line) < width + 20 else line[: width + 12] + "\x1b[0m"
    return line[:width]
