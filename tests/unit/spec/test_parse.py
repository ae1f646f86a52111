"""What a sound spec means."""

from lamplighter.model.system import (
    Backup,
    Breaker,
    Check,
    Expect,
    Freeze,
    Guards,
    Lifecycle,
    Money,
    Objective,
    Python,
    Range,
    Resources,
    Run,
    Scale,
    SecretSource,
    Service,
    Site,
)
from lamplighter.spec import parse

from .specs import LIBRARY, service

LIBRARY_SYSTEM = parse(LIBRARY)
SEARCH = LIBRARY_SYSTEM.services["search"]


def web(rest: str) -> Service:
    """Return the service of a small spec."""
    return parse(service(rest)).services["web"]


def test_two_lines_are_enough() -> None:
    """A system's name and what to run make a spec; the rest has defaults."""
    system = parse("system: x\nservices: {web: {app: main:app}}")
    assert Run(kind="app", value="main:app") == system.services["web"].run
    assert {"here": Site(name="here")} == system.sites


def test_how_a_service_is_run_and_found() -> None:
    """App, environment, secrets, needs and route arrive as written."""
    assert Run(kind="app", value="library.search:app") == SEARCH.run
    assert (Python(requirements="uv.lock"), {"LIBRARY_LANG": "en"}) == (SEARCH.python, SEARCH.env)
    assert (("model_key",), ("model",), "/search") == (SEARCH.secrets, SEARCH.needs, SEARCH.route)


def test_quantities_become_seconds_bytes_and_shares() -> None:
    """Units end at the parser: the model has seconds, bytes and fractions of one."""
    assert Resources(cpu=1.0, memory_bytes=512 * 2**20, gpu=0.25) == SEARCH.resources
    assert (30.0, 120.0, (0.05, 0.25, 1.0)) == (SEARCH.drain_s, SEARCH.rollout.bake_s, SEARCH.rollout.steps)
    assert Objective(availability=0.999, latency_s={"p99": 0.3}, window_s=2_592_000.0) == SEARCH.objective


def test_resilience_and_checks() -> None:
    """Breaker, fallback and the questions asked of a new release arrive as written."""
    assert Breaker(errors=0.5, window_s=10.0) == SEARCH.resilience.breaker
    assert ("cached", 2.0) == (SEARCH.resilience.fallback, SEARCH.resilience.timeout_s)
    assert (Check(get="/ask?q=zip", expect=Expect(json="$.answers[0]")),) == SEARCH.checks


def test_what_surrounds_the_services() -> None:
    """Agents, jobs, stores, secrets, tenants, budgets and windows arrive as written."""
    system = LIBRARY_SYSTEM
    assert (("library.swarm:Reader",), ("search", "model")) == (
        system.agents["reader"].agent,
        system.agents["reader"].calls,
    )
    assert ("0 2 * * *", 14_400.0, True) == (
        system.jobs["index"].schedule,
        system.jobs["index"].deadline_s,
        system.jobs["index"].spot,
    )
    assert (
        Backup(every_s=3600.0, keep_s=604_800.0),
        Lifecycle(archive_s=2_592_000.0, delete_s=31_536_000.0),
    ) == (
        system.stores["shelf"].backup,
        system.stores["shelf"].lifecycle,
    )
    assert {"model_key": SecretSource(name="model_key", source="env", key="MODEL_KEY")} == system.secrets
    assert (Money(usd=300.0), Money(usd=500.0)) == (system.tenants["lab-a"].budget, system.budget)


def test_guards_take_in_the_approvals() -> None:
    """What needs a person's yes is one of the guards."""
    assert Guards(actions=100, window_s=300.0, at_risk=0.25, approve_above=0.25) == LIBRARY_SYSTEM.guards


def test_a_freeze_window_counts_from_monday() -> None:
    """Friday 18:00 to Monday 08:00 runs over the end of the week."""
    assert (
        Freeze(start_min=4 * 1440 + 18 * 60, end_min=8 * 60, text="Fri 18:00 - Mon 08:00"),
    ) == LIBRARY_SYSTEM.freeze


def test_an_override_is_laid_on_key_by_key() -> None:
    """What a site does not change stays as the service has it."""
    assert Range(min=4, max=10) == SEARCH.at["prod"].replicas
    assert SEARCH.health == SEARCH.at["prod"].health


def test_at_a_site_the_override_is_the_service() -> None:
    """A system seen at a site has that site's services."""
    assert 4 == LIBRARY_SYSTEM.at("prod").services["search"].replicas.min
    assert 2 == LIBRARY_SYSTEM.at("here").services["search"].replicas.min


def test_a_workload_of_another_site_is_left_out() -> None:
    """`site` names the only site that a workload runs at, agents and jobs included."""
    text = "system: x\nsites: {a: {}, b: {}}\ndefault_site: a\njobs: {j: {command: x, site: b}}"
    assert ({}, ["j"]) == (parse(text).at("a").jobs, list(parse(text).at("b").jobs))


def test_null_in_an_override_is_the_default_again() -> None:
    """An override can take back what the service says."""
    system = parse(service("drain: 5s\n    at: {here: {drain: null}}"))
    assert 30.0 == system.at("here").services["web"].drain_s


def test_an_override_can_run_a_service_in_another_way() -> None:
    """Another way to run takes the place of the first, not a seat beside it."""
    system = parse(service("at: {here: {image: ghcr.io/x/y}}"))
    assert Run(kind="image", value="ghcr.io/x/y") == system.at("here").services["web"].run


def test_a_bare_number_of_replicas() -> None:
    """`replicas: 3` is neither more nor less."""
    assert Range(min=3, max=3) == web("replicas: 3").replicas


def test_max_follows_min() -> None:
    """Only `min` given: there is no room to scale."""
    assert Range(min=4, max=4) == web("replicas: {min: 4}").replicas


def test_a_range_scales_by_requests_in_flight() -> None:
    """Room between min and max is there to be used."""
    assert Scale() == web("replicas: {min: 1, max: 4}").scale
    assert web("replicas: 2").scale is None


def test_a_goal_has_the_unit_of_what_is_measured() -> None:
    """Seconds for latency, a share for cpu."""
    assert 0.3 == web("scale: {on: latency, goal: 300ms}").scale.goal
    assert 0.7 == web("scale: {on: cpu, goal: 70%}").scale.goal


def test_a_slash_at_the_end_of_a_route_means_nothing() -> None:
    """/ask/ and /ask are one route."""
    assert "/ask" == web("route: /ask/").route


def test_the_one_site_is_the_default() -> None:
    """With one site there is no question which is meant."""
    assert "lab" == parse("system: x\nsites: {lab: {}}").default_site


def test_a_file_secret_is_read_from_its_path() -> None:
    """`key` is the path of the file."""
    system = parse("system: x\nsecrets: {db: {from: file, key: /run/db}}")
    assert SecretSource(name="db", source="file", key="/run/db") == system.secrets["db"]
