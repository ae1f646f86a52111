"""How a fault looks, what it says, and what it never says."""

import pytest

from lamplighter.model.errors import SpecError
from lamplighter.model.rendering import render_fault
from lamplighter.spec import check, parse

from .specs import LIBRARY, faults, placed, service


def test_a_fault_as_a_person_sees_it() -> None:
    """Place, code, the line with carets, and the mend."""
    text = LIBRARY.replace("needs: [model]", "needs: [modle]")
    shown = (
        "lamp.yaml:15:13  unknown-workload\n"
        "   15 |     needs: [modle]\n"
        "      |             ^^^^^ no service, agent pool or job has this name\n"
        '   mend: did you mean "model" (line 27)?            lamp help unknown-workload'
    )
    assert [shown] == [render_fault(each) for each in faults(text)]


def test_every_fault_is_told_at_once() -> None:
    """Faults of text, of values and across the spec come in one go, in the order of the file."""
    services = "  a: {app: m:app, drian: 3s, needs: [c]}\n  b: {command: x, replicas: {min: 3, max: 1}}\n"
    expected = [
        ("bad-name", 1, 9),
        ("unknown-key", 3, 19),
        ("unknown-workload", 3, 38),
        ("min-above-max", 4, 35),
    ]
    assert expected == placed(f"system: X\nservices:\n{services}")


def test_a_fault_in_an_override_stands_where_the_override_stands() -> None:
    """The service is sound; what the site makes of it is not."""
    text = service("replicas: {min: 1, max: 3}\n    at: {here: {replicas: {min: 5}}}")
    assert [("min-above-max", 6, 33)] == placed(text)


def test_a_fault_of_the_service_is_told_once() -> None:
    """Overrides read the service again, but say nothing again."""
    assert [("bad-duration", 5, 12)] == placed(service("drain: 3 parsecs\n    at: {here: {route: /x}}"))


def test_the_whole_cycle_is_shown() -> None:
    """Who needs whom, from one to itself."""
    circle = "".join(f"  {one}: {{app: m:app, needs: [{other}]}}\n" for one, other in ("ab", "bc", "ca"))
    (fault,) = faults(f"system: x\nservices:\n{circle}")
    assert "these need each other, so none can start: a → b → c → a" == fault.message


def test_a_cycle_that_others_lead_into() -> None:
    """Only what is in the circle is shown, not the way to it."""
    ways = "".join(f"  {one}: {{app: m:app, needs: [{other}]}}\n" for one, other in ("ab", "bc", "cb"))
    (fault,) = faults(f"system: x\nservices:\n{ways}")
    assert "these need each other, so none can start: b → c → b" == fault.message


def test_a_cycle_at_one_site_only() -> None:
    """An override can close a circle."""
    text = "system: x\nservices:\n  a: {app: m:a, needs: [b]}\n  b: {app: m:b, at: {here: {needs: [a]}}}\n"
    assert ["needs-cycle"] == [each.code for each in faults(text)]


@pytest.mark.parametrize(
    ("rest", "mend"),
    [
        ("drain: 30", "say the unit: 30s is seconds, 30m minutes, 30h hours"),
        ("drain: 5 min", 'write "5m"'),
        ("resources: {memory: 512}", "say the unit: 512Mi is mebibytes, 512Gi gibibytes, 512B bytes"),
        ("resources: {cpu: 500m}", "write 0.5"),
        ("objective: {availability: 0.999}", 'write "99.9%"'),
        ("route: search", 'write "/search"'),
        ("replicas: '3'", "write 3, without quotes"),
        ("resilience: {hedge: yes}", "write true"),
        ("needs: web2", 'write ["web2"]'),
        ("helth: {}", 'did you mean "health"?'),
        ("python: {requirements: uv.lock, version: three}", '"3.12"'),
        ("checks: [{get: /, expect: {json: answers}}]", 'write "$.answers"'),
    ],
)
def test_the_mend_says_what_to_write(rest: str, mend: str) -> None:
    """A slip that is easily made has a mend that can be typed in."""
    assert mend in [each.mend for each in faults(service(rest))]


@pytest.mark.parametrize(
    ("text", "mend"),
    [
        ("system: My Lab", 'write "my-lab"'),
        ("system: x\nbudget: 500", 'write "500 USD/month"'),
        ("system: x\nbudget: $1,500 a week", 'write "1500 USD/week"'),
        ("system: x\ntimezone: berlin", 'did you mean "Europe/Berlin"?'),
        ("system: x\njobs: {j: {command: x, schedule: '@daily'}}", 'write "0 0 * * *"'),
        ("system: x\nservices: {w: {app: src/main.py}}", 'write "src.main:app"'),
        ("system: x\nservices: {w: {app: main}}", 'write "main:app"'),
    ],
)
def test_the_mend_of_a_whole_spec(text: str, mend: str) -> None:
    """The same for what stands outside of services."""
    assert mend in [each.mend for each in faults(text)]


SECRETS = ("sk-abcdefghijklmnop1234", "hunter2-is-a-secret", "ghp_abcdefghijklmnopqrstuv")


@pytest.mark.parametrize("value", SECRETS)
@pytest.mark.parametrize(
    "text",
    [
        "env: {{API_KEY: {0}, 1bad: x}}",
        "env:\n      DB_PASSWORD: {0}\n      DB_PASSWORD: twice",
        'command: "TOKEN={0} serve"',
        "env: {{A_TOKEN: '{0}",
    ],
)
def test_a_secret_is_in_no_fault(text: str, value: str) -> None:
    """What looks like a secret is blotted out of messages, mends and excerpts."""
    found = faults(service(text.format(value)))
    assert found
    assert not [each for each in found if value in render_fault(each) or value in str(each)]


def test_a_secret_on_a_line_of_its_own_is_not_shown() -> None:
    """The warning that a value looks like a secret does not show the value."""
    warnings = check(service("env:\n      API_KEY:\n        swordfish")).warnings
    assert "secret-in-spec" in [each.code for each in warnings]
    assert not [each for each in warnings if "swordfish" in render_fault(each)]


def test_a_known_form_of_secret_is_not_quoted_back() -> None:
    """A value put in the place of a secret's name is not repeated."""
    found = faults(service("secrets: [sk-abcdefghijklmnop1234]"))
    assert found
    assert not [each for each in found if "sk-abc" in str(each)]


def test_a_spec_error_knows_its_exit_code() -> None:
    """A fault in a spec is the user's to mend: exit code 2."""
    with pytest.raises(SpecError) as caught:
        parse("system: [")
    assert (2, "never") == (caught.value.exit_code, caught.value.retry)


def test_a_long_line_is_cut_around_the_fault() -> None:
    """What is shown fits a terminal, with the caret under the fault."""
    text = "system: x\nservices: {w: {app: m:app, env: {A: " + "y" * 100 + "}, drian: 3s}}\n"
    line, pointer = render_fault(faults(text)[0]).splitlines()[1:3]
    assert "drian" == line[pointer.index("^") : pointer.index("^") + 5]


def test_warnings_stop_nothing() -> None:
    """What is legal but doubtful is told beside the system."""
    checked = check(service("objective: {availability: 99.9%}\n    route: /"))
    assert ["no-health-path", "single-replica"] == sorted(each.code for each in checked.warnings)
