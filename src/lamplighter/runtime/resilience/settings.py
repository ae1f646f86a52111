"""What a policy is set to, for one dependency; given in code, or by the environment of a replica.

`LAMP_RESILIENCE` holds a JSON object: the name of a dependency to its settings, as `resilience:` of
`lamp.yaml` says. A target sets it beside `LAMP_URL_*`.
"""

import os
from collections.abc import Mapping

import msgspec

from lamplighter.runtime.resilience.errors import PolicyError

VARIABLE = "LAMP_RESILIENCE"


class BreakerSettings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """When the circuit opens: `errors` is a share, and `calls_min` in the window are needed to say so."""

    errors: float = 0.5
    window_s: float = 10.0
    calls_min: int = 10
    open_s: float = 1.0
    probes: int = 3

    def __post_init__(self) -> None:
        _expect(0 < self.errors <= 1, "breaker.errors", self.errors, "a share above 0 and up to 1")
        _expect(self.window_s > 0, "breaker.window_s", self.window_s, "more than 0 seconds")
        _expect(self.calls_min >= 1, "breaker.calls_min", self.calls_min, "at least 1")
        _expect(self.open_s > 0, "breaker.open_s", self.open_s, "more than 0 seconds")
        _expect(self.probes >= 1, "breaker.probes", self.probes, "at least 1")


class Settings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How calls to one dependency are protected. Each part that is 0 or None is not there.

    Args:
        timeout_s: the longest that one try may take.
        deadline_s: the longest that the call may take, with all its tries and pauses.
        retries: tries beyond the first, if the budget allows them.
        extra_share: the budget: tries beyond the first (retries and hedges) as a share of the calls.
        pause_s: the bound of the first pause before a retry; it doubles.
        pause_s_max: the bound of all pauses.
        breaker: the circuit breaker.
        concurrency: how many calls may be under way at once.
        waiting: how many more may wait for that, within their deadline.
        fallback: `cached`: the last good answer to the same arguments.
        hedge: a second try beside a first that takes longer than 95 of 100 do.
    """

    timeout_s: float = 0.0
    deadline_s: float = 0.0
    retries: int = 2
    extra_share: float = 0.1
    pause_s: float = 0.05
    pause_s_max: float = 2.0
    breaker: BreakerSettings | None = None
    concurrency: int = 0
    waiting: int = 0
    fallback: str = ""
    hedge: bool = False

    def __post_init__(self) -> None:
        for name in ("timeout_s", "deadline_s", "pause_s", "pause_s_max", "concurrency", "waiting"):
            _expect(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")
        _expect(0 <= self.retries <= 10, "retries", self.retries, "0 to 10")  # noqa: PLR2004 - as the spec
        _expect(0 <= self.extra_share <= 1, "extra_share", self.extra_share, "a share from 0 to 1")
        _expect(self.fallback in {"", "cached"}, "fallback", self.fallback, '"cached" or nothing')


def from_environment(environment: Mapping[str, str] | None = None) -> dict[str, Settings]:
    """Return the settings that this replica was given, by dependency; none without the variable.

    Raises:
        PolicyError: the variable is not what a target writes; the message says where.
    """
    text = (os.environ if environment is None else environment).get(VARIABLE, "")
    if not text:
        return {}
    try:
        return msgspec.json.decode(text, type=dict[str, Settings])
    except (msgspec.DecodeError, PolicyError) as error:
        raise PolicyError(
            f"{VARIABLE} cannot be read: {error}",
            mend='unset it, or write an object such as {"search": {"timeout_s": 2}}',
        ) from error


def urls(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return where other workloads are called (`LAMP_URL_*`), to their names; the longest first."""
    found = os.environ if environment is None else environment
    known = {
        value.rstrip("/"): value.rstrip("/").rpartition("/")[2]
        for name, value in found.items()
        if name.startswith("LAMP_URL_") and value
    }
    return dict(sorted(known.items(), key=lambda each: -len(each[0])))


def _expect(holds: bool, name: str, value: object, wanted: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not holds:
        raise PolicyError(f"{name} is {value!r}; expected {wanted}")
