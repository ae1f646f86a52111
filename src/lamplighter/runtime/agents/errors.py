"""What can go wrong around an agent, each with its code, so that a caller can tell what to do about it.

    LampError
    ├── AgentDefinitionError   a class that is no proper agent: a programmer's mistake, told at its definition
    ├── UnknownKindError       no agent class of this name is known here
    ├── UnknownMessageError    the agent has no handler for this message, or its bytes do not decode
    ├── OverloadedError        a mailbox or a host is full; try again after `retry_after_s`
    ├── UnreachedError         nobody holds the agent's shard now: it moves, or its host has ended
    └── TurnError              a turn ended without its effects
        ├── HandlerFailedError     the handler raised
        ├── TurnStuckError         the handler did not give way in time
        ├── StateTooLargeError     the state outgrew its limit
        ├── StateUnreadableError   the stored state fits neither the class nor its upgrade
        ├── CallFailedError        a journaled call raised, or its result cannot be kept
        ├── AskTimeoutError        no answer before the deadline
        ├── AskCycleError          the agents would wait for each other for ever
        └── ReplayMismatchError    the code asks for something else than what the journal holds

An error that crosses from one agent to another (or to a client) travels as its code and message, and is
raised there as the same class.
"""

from typing import Any

from lamplighter.model.errors import LampError, UserError


class AgentDefinitionError(UserError):
    """The class is no proper agent; the message names the class, the place and the mend."""

    code = "agent-definition"


class UnknownKindError(UserError):
    """No agent class of this kind is registered here; the message lists those that are."""

    code = "unknown-agent-kind"


class UnknownMessageError(UserError):
    """The agent has no handler for this message, or its bytes do not decode."""

    code = "unknown-message"


class OverloadedError(LampError):
    """A mailbox or a host is full. Nothing was accepted; try again after `retry_after_s` seconds."""

    code = "overloaded"
    exit_code = 5
    retry = "later"

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.retry_after_s = retry_after_s


class UnreachedError(LampError):
    """Nobody holds the agent's shard now. Whether the message was accepted is not known."""

    code = "agents-unreached"
    exit_code = 7
    retry = "later"

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.retry_after_s = retry_after_s


class TurnError(LampError):
    """A turn ended without its effects: no state was changed and nothing was sent."""

    code = "turn-failed"


class HandlerFailedError(TurnError):
    """The handler raised; the message names the exception. It was tried as often as its kind allows."""

    code = "handler-failed"


class TurnStuckError(TurnError):
    """The handler kept its host from everything else for too long; it was interrupted, for good."""

    code = "turn-stuck"

    def __init__(self, message: str = "the handler did not give way within its time", **more: Any) -> None:
        super().__init__(message, **more)


class StateTooLargeError(TurnError):
    """The agent's encoded state is larger than `Config.state_bytes_max`; the turn was undone."""

    code = "state-too-large"


class StateUnreadableError(TurnError):
    """The stored state fits neither the class nor what its `upgrade` makes of it. Nothing was changed."""

    code = "state-unreadable"


class CallFailedError(TurnError):
    """A journaled call raised; the message names the exception. The same on every replay."""

    code = "call-failed"


class AskTimeoutError(TurnError):
    """No answer came before the deadline. What was asked may or may not have happened."""

    code = "ask-timeout"
    retry = "later"


class AskCycleError(TurnError):
    """The agents would wait for each other for ever; the message shows the circle."""

    code = "ask-cycle"


class ReplayMismatchError(TurnError):
    """The code asks for something else than what the journal holds for this turn: it was changed since.

    The turn is not resumed. Its message is a dead letter; replay it once it may run from the start.
    """

    code = "replay-mismatch"


_BY_CODE: dict[str, type[LampError]] = {
    error.code: error
    for error in (
        UnknownKindError,
        UnknownMessageError,
        TurnError,
        HandlerFailedError,
        StateTooLargeError,
        TurnStuckError,
        StateUnreadableError,
        CallFailedError,
        AskTimeoutError,
        AskCycleError,
        ReplayMismatchError,
    )
}


def told(code: str, message: str) -> LampError:
    """Return the error that a code from elsewhere stands for, to be raised here."""
    return _BY_CODE.get(code, TurnError)(message, code=code)
