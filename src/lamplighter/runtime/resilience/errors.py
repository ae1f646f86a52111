"""What a policy raises itself, instead of an answer or of the error that the called function raised.

    LampError
    ├── PolicyError                  a policy, its settings or its environment make no sense: a user's mistake
    └── CallError                    the call was not made, or given up
        ├── DeadlineExceededError    the time was up; also a TimeoutError
        ├── CircuitOpenError         too many calls failed lately; none is made until `retry_after_s`
        ├── TooManyCallsError        as many calls as allowed are under way, and as many wait
        └── RefusedError             the last of a fallback chain: a clear no, in the words of the chain

When tries are used up the last error of the called function is raised as it was.
"""

from lamplighter.model.errors import LampError, UserError


class PolicyError(UserError):
    """A policy or its settings make no sense; the message says which field, and what was expected."""

    code = "bad-policy"


class CallError(LampError):
    """A call to a dependency was not made, or given up.

    Args:
        dependency: the name of what was to be called.
        retry_after_s: when it may be worth another try; 0 when that is not known.
    """

    code = "call-failed"
    exit_code = 7
    retry = "later"

    def __init__(self, message: str, *, dependency: str = "", retry_after_s: float = 0.0) -> None:
        super().__init__(message, dependency=dependency, retry_after_s=retry_after_s)
        self.dependency = dependency
        self.retry_after_s = retry_after_s


class DeadlineExceededError(CallError, TimeoutError):
    """The time for a call was up. Whether it took place is not known."""

    code = "deadline-exceeded"


class CircuitOpenError(CallError):
    """Too many calls to the dependency failed lately; this one was not made."""

    code = "circuit-open"


class TooManyCallsError(CallError):
    """As many calls to the dependency as are allowed are under way or wait; this one was not made."""

    code = "too-many-calls"


class RefusedError(CallError):
    """Nothing could answer, and the fallback chain ends in this refusal."""

    code = "refused"
