"""What is said of an administration interface that answers nonsense."""

import socket
import threading
from pathlib import Path

import pytest

from lamplighter.targets.local.gateway import admin


def test_nonsense_is_told_in_plain_characters(tmp_path: Path) -> None:
    """What a stranger answers cannot steer the terminal that the error is shown on."""
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.bind(str(tmp_path / "admin.sock"))
        stranger.listen()

        def answer() -> None:
            met, _ = stranger.accept()
            with met:
                met.recv(1024)
                met.sendall(b"\x1b[31m\x85 nonsense\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(admin.GatewayUnavailableError) as fault, admin.session(tmp_path, 2.0) as asked:
            asked.get("/stats")
        thread.join()
    told = str(fault.value)
    assert ("\\x1b[31m\\x85 nonsense\\r\\n", True) == (told.split(": ")[1], told.isprintable())
