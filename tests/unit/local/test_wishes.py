"""A system becomes a gateway's table; what cannot run here is said."""

from lamplighter.model.system import (
    AgentPool,
    Breaker,
    GatewayPolicy,
    Health,
    Job,
    Money,
    Queue,
    Resilience,
    Resources,
    Run,
    Service,
    Store,
    System,
    Tenant,
)
from lamplighter.runtime.resilience import BreakerSettings, Settings
from lamplighter.runtime.resilience.settings import from_environment
from lamplighter.targets.local.gateway.table import Check, Route
from lamplighter.targets.local.missing import missing
from lamplighter.targets.local.wishes import table


def service(**fields: object) -> Service:
    """Return a service that runs a command."""
    return Service(**{"name": "web", "run": Run(kind="command", value="serve"), **fields})


def system(**fields: object) -> System:
    """Return a system of one service."""
    return System(**{"name": "s", "services": {"web": service()}, **fields})


def test_a_service_becomes_a_backend() -> None:
    """Its check, its retries and its patience are what the spec says."""
    web = service(route="/web", health=Health(path="/ok"), resilience=Resilience(timeout_s=2.0, retries=1))
    made = table(system(services={"web": web}, gateway=GatewayPolicy(port=9000, host="localhost")))
    (backend,) = made.backends
    assert (Check(path="/ok"), 2.0, 1) == (backend.check, backend.timeout_s, backend.retries)
    assert ("127.0.0.1", 9000, (Route("/web", "web"),)) == (made.host, made.port, made.routes)


def test_callers_are_told_how_to_protect_their_calls() -> None:
    """What the spec says of calls is in the environment of callers; nothing where it is silent."""
    guarded = service(resilience=Resilience(timeout_s=2.0, breaker=Breaker(errors=0.3), hedge=True))
    made = table(system(services={"web": guarded, "plain": service(name="plain")})).backends
    told = from_environment({"LAMP_RESILIENCE": f'{{"web": {made[0].policy}}}'})["web"]
    assert ("", Settings(timeout_s=2.0, hedge=True, breaker=BreakerSettings(errors=0.3))) == (
        made[1].policy,
        told,
    )


def test_a_service_without_a_route_has_none() -> None:
    """It is called by its name from within, and not from outside."""
    assert (1, ()) == (len(table(system()).backends), table(system()).routes)


def test_no_timeout_is_no_limit() -> None:
    """Zero in the spec is no limit, not one of zero seconds."""
    assert None is table(system()).backends[0].timeout_s


def test_nothing_is_missing_of_a_plain_service() -> None:
    """What runs here raises no finding."""
    assert () == missing(system())


def test_what_does_not_run_here_is_said() -> None:
    """Each part that the target leaves out is named, none is passed over."""
    asked = system(
        services={
            "web": service(
                resources=Resources(gpu=0.5), resilience=Resilience(fallback="cached", hedge=True)
            ),
            "boxed": service(name="boxed", run=Run(kind="image", value="nginx")),
        },
        agents={"reader": AgentPool(name="reader", agent=("a:B",))},
        jobs={"index": Job(name="index", command="c")},
        queues={"events": Queue(name="events", broker="nats")},
        stores={"shelf": Store(name="shelf", kind="object")},
        tenants={"lab": Tenant(name="lab")},
        budget=Money(usd=1),
    )
    assert {
        "jobs.index",
        "queues.events",
        "stores.shelf",
        "tenants.lab",
        "budget",
        "services.boxed.image",
        "services.web.resources.gpu",
        "services.web.resilience.fallback",
        "services.web.resilience.hedge",
    } == {each.subject for each in missing(asked)}
