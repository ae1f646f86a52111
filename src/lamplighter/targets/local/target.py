"""The local target: the engine's view of one machine, through the supervisor and the gateway."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from lamplighter.model.actions import Action, Outcome
from lamplighter.model.facts import Facts
from lamplighter.model.findings import Finding
from lamplighter.model.system import System
from lamplighter.ports import Clock, LogLine, Scope, Secrets


class LocalTarget:
    """Implements Target, Previews, Streams and Hints on this machine."""

    def __init__(self, state_dir: Path, system_name: str, clock: Clock, secrets: Secrets) -> None:
        """Look at one system; starts and touches nothing.

        Args:
            state_dir: the system's own state folder (`$LAMP_STATE_DIR/<system>`).
            system_name: its name.
            clock: gives instants on the system's time line.
            secrets: asked for values when a replica is started.
        """
        self._state_dir = state_dir
        self._system = system_name
        self._clock = clock
        self._secrets = secrets

    async def observe(self, scope: Scope) -> Facts:
        """Return one snapshot: one call to the supervisor, one read of the gateway, and /proc."""
        raise NotImplementedError

    async def apply(self, action: Action, *, action_id: str, token: int) -> Outcome:
        """Carry out an action through the supervisor, which is started first if there is none."""
        raise NotImplementedError

    async def preview(self, action: Action) -> Sequence[Finding]:
        """Return what stands in the way of `action`; touches nothing."""
        raise NotImplementedError

    def missing(self, system: System) -> Sequence[Finding]:
        """Return a `not-on-this-target` finding for each part of the spec that cannot run here yet."""
        raise NotImplementedError

    def logs(self, workload: str, *, follow: bool, tail: int) -> AsyncIterator[LogLine]:
        """Yield the last `tail` lines of each replica of a workload, then new ones if `follow`."""
        raise NotImplementedError

    def hints(self) -> AsyncIterator[str]:
        """Yield the subject of each change; keeps a supervisor running as long as it is iterated."""
        raise NotImplementedError
