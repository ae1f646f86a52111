"""Telling the story as it happens: plain lines, and on a terminal colours and a last line that moves.

Knows nothing of what is told.
"""

import os
import sys
import textwrap
import time
from typing import TextIO

_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "blue": "34"}
WIDTH = 100


class Teller:
    """Writes to one stream; each line begins with the seconds since the story began."""

    def __init__(self, out: TextIO = sys.stdout) -> None:
        self._out = out
        self._moves = out.isatty() and os.environ.get("TERM") != "dumb"
        self._colours = self._moves and "NO_COLOR" not in os.environ
        self._shown = False
        self.began = time.monotonic()

    def chapter(self, number: int, title: str) -> None:
        """Begin a chapter."""
        self._line("\n" + self.styled(f"{number}. {title}", "bold"))

    def say(self, text: str, style: str = "") -> None:
        """Tell what is done or seen, in a sentence."""
        at = f"{time.monotonic() - self.began:6.1f} s  "
        first, *rest = textwrap.wrap(text, WIDTH - len(at), break_long_words=False) or [""]
        lines = [self.styled(at, "dim") + self.styled(first, style)]
        lines += [" " * len(at) + self.styled(each, style) for each in rest]
        self._line("\n".join(lines))

    def command(self, words: str) -> None:
        """Tell which command is given."""
        self.say("$ " + words, "blue")

    def plain(self, text: str) -> None:
        """Write text as it stands."""
        self._line(text)

    def move(self, text: str) -> None:
        """Show how things stand on the last line, in place of what stood there; nothing where it is piped."""
        if self._moves:
            self._out.write("\r\x1b[2K" + self.styled(text, "dim"))
            self._out.flush()
            self._shown = True

    def styled(self, text: str, style: str) -> str:
        """Return text in a style, where there are colours."""
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if style and self._colours else text

    def _line(self, text: str) -> None:
        clear, self._shown = "\r\x1b[2K" if self._shown else "", False
        self._out.write(f"{clear}{text}\n")
        self._out.flush()
