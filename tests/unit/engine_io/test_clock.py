"""The time line goes on over restarts and reboots and never goes back."""

import time

from lamplighter.adapters.clock import NOTE, REBOOT_GAP_S, VirtualClock, continued


class Notes(dict[str, str]):
    """Notes in memory."""

    def note(self, name: str, value: str) -> None:
        """Keep a text."""
        self[name] = value

    def noted(self, name: str) -> str:
        """Return a text."""
        return self.get(name, "")


def test_a_restart_lets_the_time_in_between_pass() -> None:
    """In the same boot the offset stays, so what happened in between is as old as it is."""
    notes = Notes()
    first = continued(notes, 0.0)
    again = continued(notes, first.now())
    assert first.at(5.0) == again.at(5.0)


def test_a_reboot_goes_on_where_the_recording_ends() -> None:
    """In another boot the monotonic clock starts anew; the time line does not."""
    notes = Notes({NOTE: '{"boot":"another","offset":1000.0}'})
    clock = continued(notes, 5_000_000.0)
    assert 0 <= clock.now() - 5_000_000.0 - REBOOT_GAP_S < 1


def test_a_monotonic_clock_that_was_set_back_does_not_set_back_time() -> None:
    """In another time namespace of the same boot, time still goes on."""
    notes = Notes()
    continued(notes, 0.0)
    last = time.monotonic() + 1_000_000
    assert continued(notes, last).now() > last
    assert continued(notes, last).now() > last


def test_virtual_time_moves_when_told() -> None:
    """A virtual clock stands still in between, and its wall time goes along."""
    clock = VirtualClock(10.0)
    clock.advance(2.5)
    assert (12.5, "2000-01-01T00:00:12.500+00:00") == (clock.now(), clock.wall())
