"""Whether a system's maintainer answers, told apart from whether there is one.

A process that is stopped or hung goes on holding the lease, and the kernel goes on taking connections for
it. So it is asked something small with a short deadline; if it says nothing, the lease tells who it is.
"""

from pathlib import Path

from lamplighter.app import reading
from lamplighter.app.client import Client
from lamplighter.app.views import Holder, holder_of
from lamplighter.model.errors import OwnedError, UnreachableError

ANSWER_S, PATIENCE_S = 1.0, 4.0
"""An answer takes milliseconds; one that lives and is busy gets more time than one that is stopped."""
SILENT = "maintainer-silent"


def reached(state: Path, system: str) -> Client:
    """Return a client, certain that a maintainer answers it or that none listens.

    Raises:
        UnreachableError: one holds the system and does not answer (`maintainer-silent`); the message
            names it, says since when nothing has been heard of it, and the mend what to do.
    """
    client = Client(state)
    if client.answers(ANSWER_S) is not False:
        return client
    holder = _holder(state, system)
    if holder is not None and holder.standing != "stopped" and client.answers(PATIENCE_S) is not False:
        return client
    raise _silent(holder, reading.last_pass_age_s(state))


def required(state: Path, system: str) -> Client:
    """Return a client as `reached` does, for who wants something done.

    Raises:
        OwnedError: a maintainer holds the system and does not answer; nothing was handed to it.
    """
    try:
        return reached(state, system)
    except UnreachableError as error:
        raise OwnedError(error.message, code=SILENT, mend=error.mend) from error


def _holder(state: Path, system: str) -> Holder | None:
    with reading.ledger(state) as opened:
        return holder_of(reading.tenancy(opened, system))


def _silent(holder: Holder | None, age_s: float | None) -> UnreachableError:
    if holder is None:
        return UnreachableError("who listens for the maintainer does not answer", code=SILENT)
    how = "is stopped" if holder.standing == "stopped" else "does not answer"
    heard = f"; its last pass was {age_s:.0f} s ago" if age_s is not None else ""
    let_go_on = f"let it go on (kill -CONT {holder.pid}), or " if holder.standing == "stopped" else ""
    return UnreachableError(
        f"the maintainer, pid {holder.pid}, holds the system since {holder.since} and {how}{heard}",
        code=SILENT,
        mend=f"{let_go_on}end it (kill -KILL {holder.pid}) and start another: lamp up; traffic goes on",
    )
