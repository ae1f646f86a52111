"""What crosses a process's edge: headers, the environment, errors of clients."""

import pytest
from tests.unit.resilience.clocks import Clock

from lamplighter.runtime.resilience import PolicyError, Settings, carry, deadline, received
from lamplighter.runtime.resilience.deadline import grpc_timeout
from lamplighter.runtime.resilience.judging import failed, transient
from lamplighter.runtime.resilience.settings import from_environment


def test_the_time_left_is_put_into_headers() -> None:
    """Of two seconds half a second has passed: 1500 ms are sent, also as gRPC writes it."""
    clock, headers = Clock(), dict[str, str]()
    with deadline(2.0, clock):
        clock.rest(0.5)
        carry(headers, clock, grpc=True)
    assert {"x-lamp-deadline-ms": "1500", "grpc-timeout": "1500000u"} == headers


def test_an_inner_deadline_is_never_farther() -> None:
    """A block of ten seconds within one of two has two."""
    clock, headers = Clock(), dict[str, str]()
    with deadline(2.0, clock), deadline(10.0, clock):
        carry(headers, clock)
    assert {"x-lamp-deadline-ms": "2000"} == headers


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"x-lamp-deadline-ms": "250"}, 0.25),
        ({"grpc-timeout": "3S"}, 3.0),
        ({"grpc-timeout": "100m", "x-lamp-deadline-ms": "900"}, 0.1),
        ({"x-lamp-deadline-ms": "-1"}, None),
        ({"x-lamp-deadline-ms": "9" * 500}, None),
        ({"x-lamp-deadline-ms": "٣"}, None),
        ({"grpc-timeout": "123456789S"}, None),
        ({"grpc-timeout": "99999999H"}, 86_400.0),
    ],
)
def test_headers_are_read_or_passed_over(headers: dict[str, str], expected: float | None) -> None:
    """The nearer of two counts, and what is malformed counts as absent."""
    assert expected == received(headers)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0, "0u"), (0.25, "250000u"), (120.0, "120000m"), (1e6, "1000000S")]
)
def test_grpc_timeouts_have_eight_digits(seconds: float, text: str) -> None:
    """The finest unit that fits is used."""
    assert text == grpc_timeout(seconds)


class _Answered(Exception):  # noqa: N818 - as a client's error would be
    def __init__(self, status: int) -> None:
        super().__init__()
        self.response = type("Response", (), {"status_code": status})()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionRefusedError(), (True, True)),
        (TimeoutError(), (True, True)),
        (_Answered(503), (True, True)),
        (_Answered(500), (False, True)),
        (_Answered(404), (False, False)),
        (FileNotFoundError(), (False, False)),
        (KeyError("x"), (False, False)),
    ],
)
def test_errors_are_told_apart(error: Exception, expected: tuple[bool, bool]) -> None:
    """What may pass by itself is tried again; what is the server's fault counts; the rest is an answer."""
    assert expected == (transient(error), failed(error))


def test_the_environment_says_how() -> None:
    """A replica reads what its target wrote."""
    found = from_environment({"LAMP_RESILIENCE": '{"search": {"timeout_s": 2, "breaker": {"errors": 0.3}}}'})
    assert (2.0, 0.3) == (
        found["search"].timeout_s,
        found["search"].breaker.errors if found["search"].breaker else 0,
    )


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"search": {"retries": -1}}', '{"search": {"breaker": {"errors": 2}}}']
)
def test_a_spoilt_environment_is_told(text: str) -> None:
    """What is no such object is a clear error with a mend."""
    with pytest.raises(PolicyError, match="LAMP_RESILIENCE cannot be read"):
        from_environment({"LAMP_RESILIENCE": text})


def test_settings_say_what_is_wrong() -> None:
    """A share beyond one is refused with the field's name."""
    with pytest.raises(PolicyError, match=r"extra_share is 1\.5; expected a share from 0 to 1"):
        Settings(extra_share=1.5)


def test_a_nearer_deadline_in_the_headers_stands() -> None:
    """Who sends may already have said less: 300 ms are not made 2000."""
    clock, headers = Clock(), {"x-lamp-deadline-ms": "300"}
    with deadline(2.0, clock):
        carry(headers, clock)
    assert {"x-lamp-deadline-ms": "300"} == headers
