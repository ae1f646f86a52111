"""The tree of errors that Lamplighter raises, each with a code, a place and a way to mend it.

    LampError
    ├── UserError            exit 2: what the user wrote or asked for
    │   └── SpecError       one or many faults in a spec, each with file, line and column
    ├── ConflictError        exit 3: the world has moved on since the plan was made
    ├── EnvironmentFault     exit 4: the machine (port taken, folder read-only, part missing)
    ├── HeldError            exit 5: no record can be kept (disk full), so nothing destructive is done
    ├── OwnedError           exit 6: another maintainer holds the system
    └── BackendError         exit 7: a target or one of its parts answered with a fault
        ├── FencedError      the caller's fencing token is older than one already seen
        └── UnreachableError no answer in time: unknown, not failed

Backends translate their client's errors into these, chained with `from`. A user never sees a
traceback for something a user did.
"""

from typing import Literal

from lamplighter.model.value import Value

Retry = Literal["never", "later", "now"]


class Fault(Value):
    """One thing that is wrong: its code, place, cause and mend.

    `line` and `column` count from 1; 0 means that the fault has no place in a file. `excerpt` is the
    source line, and `width` how many characters of it, from `column`, are at fault.
    """

    code: str
    message: str
    mend: str = ""
    file: str = ""
    line: int = 0
    column: int = 0
    width: int = 1
    excerpt: str = ""


class LampError(Exception):
    """Base of all expected errors. Carries a kebab-case code, a message, a mend and an exit code."""

    code = "lamp-error"
    exit_code = 1
    retry: Retry = "never"

    def __init__(self, message: str, *, mend: str = "", code: str = "", **context: str | float) -> None:
        super().__init__(message)
        self.message = message
        self.mend = mend
        self.context = context
        if code:
            self.code = code

    def faults(self) -> tuple[Fault, ...]:
        """Return what is wrong as values, for rendering and for `--json`."""
        return (Fault(code=self.code, message=self.message, mend=self.mend),)


class UserError(LampError):
    """The request itself is wrong; the message says what was expected. Never retried."""

    code = "user-error"
    exit_code = 2


class SpecError(UserError):
    """A spec has one or more faults, each with its place in the file."""

    code = "spec-invalid"

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__(f"{len(faults)} fault(s) in the spec")
        self._faults = faults

    def faults(self) -> tuple[Fault, ...]:
        """Return every fault found, in the order of the file."""
        return self._faults


class ConflictError(LampError):
    """The facts that a plan or an approval was made from have changed; make a new one."""

    code = "facts-changed"
    exit_code = 3


class EnvironmentFault(LampError):  # noqa: N818 - a fault of the machine, not of a program
    """This machine lacks something: a free port, a writable folder, a program. Mend it, try again."""

    code = "environment"
    exit_code = 4
    retry: Retry = "later"


class HeldError(LampError):
    """No record can be written, so the loop holds everything destructive. Free some disk space."""

    code = "held"
    exit_code = 5
    retry: Retry = "later"


class OwnedError(LampError):
    """Another maintainer holds this system's lease; the message names it and its age."""

    code = "owned"
    exit_code = 6
    retry: Retry = "later"


class BackendError(LampError):
    """A target, or a part of it, answered with a fault."""

    code = "backend"
    exit_code = 7
    retry: Retry = "later"


class FencedError(BackendError):
    """The fencing token is older than one that was already seen: this maintainer was superseded."""

    code = "fenced"
    retry: Retry = "never"


class UnreachableError(BackendError):
    """No answer within the deadline. What was asked may or may not have happened."""

    code = "unreachable"
    retry: Retry = "now"
