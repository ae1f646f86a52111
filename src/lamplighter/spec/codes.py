"""Every code that reading a spec can give, with the paragraph that `lamp help CODE` shows."""

from functools import cache

from lamplighter.model.value import Value


class Code(Value):
    """A code: one line of what it is, a paragraph on why and on how to mend it.

    `warning`: it does not keep a spec from being used.
    """

    title: str
    text: str
    warning: bool = False


@cache
def codes() -> dict[str, Code]:
    """Return every code of this package with what it means."""
    return {**_read(_FAULTS, warning=False), **_read(_WARNINGS, warning=True)}


def _read(text: str, *, warning: bool) -> dict[str, Code]:
    """Read `code: title` lines, each followed by the indented lines of its paragraph."""
    found: dict[str, tuple[str, list[str]]] = {}
    paragraph: list[str] = []
    for line in text.strip().splitlines():
        if line.startswith(" "):
            paragraph.append(line.strip())
        else:
            code, _, title = line.partition(": ")
            paragraph = []
            found[code] = (title, paragraph)
    return {
        code: Code(title=title, text=" ".join(lines), warning=warning)
        for code, (title, lines) in found.items()
    }


_FAULTS = """
not-utf8: The file is not UTF-8 text
    A spec is text in UTF-8. The place given is the first byte that is not. Most editors can save a
    file in another encoding; a binary file is perhaps not the spec at all.
not-text: A character that no YAML may hold
    Control characters (and half surrogates) may not stand in YAML as they are. They often come in
    by copying from a terminal. Take the character out, or write it as an escape in double quotes
    ("\\x1b").
too-large: More than a spec may hold
    A file may have 1 MiB, 20,000 parts once aliases are followed, 1,000 entries in a list or
    mapping and 32,768 characters in one text. A spec says what to run; data belongs into files of
    its own.
too-deep: Nested too deep
    A spec needs eight levels; forty are read. Deeper nesting is a slip in brackets or in
    indentation.
empty-spec: The file is empty
    There is nothing to read, or only comments. `lamp init` writes a first spec from what it finds.
several-documents: More than one document in the file
    A line with three dashes starts another YAML document. One file holds one system: take the line
    out, or put the other system into a file of its own.
yaml-syntax: This is not YAML
    The text cannot be read as YAML; the place is where that shows, and the cause may stand a line
    above. Usual causes: text with a colon, a # or a leading *, &, !, %, @ or ` that needs quotes,
    and a quote or bracket that is not closed.
yaml-indent: A line does not fit its block
    Entries of one mapping, and items of one list, start in the same column. The line named does
    not, or what stands before it on the same line is already complete.
yaml-tab: A tab in the indentation
    YAML allows spaces only for indentation. Put two spaces for each level; most editors can do so
    for the whole file.
yaml-tag: A tag
    Tags (!name, !!type) tell YAML to make something other than text, numbers, lists and mappings of
    a value. A spec needs none, and none is obeyed.
yaml-key: A key that is no word
    A key in a spec is a single word. A list or a mapping as a key is almost always a bracket too
    many.
duplicate-key: A key stands twice
    Some readers of YAML keep the first, others the last; here neither is guessed. Keep one, or put
    the two together.
unknown-anchor: An alias to nothing
    *name stands for what was marked &name further up in the same file. Nothing was. A value that
    merely begins with an asterisk needs quotes.
recursive-alias: An alias inside of what it stands for
    Following it would never end. Write out what is meant.
bad-merge: Only a mapping can be merged in
    The key << takes an alias to a mapping (or a list of such aliases) and brings in its keys.
too-many-faults: There are more faults than are shown
    After a hundred faults the rest is only counted. Mend the first ones: many of the others follow
    from them.
unknown-key: A key that is not known here
    Nothing reads this key, and a key that nothing reads is a wish that silently does not come true.
    The mend names the nearest key, or all that are known at this place.
missing-key: A key that must be there
    Without it there is no sensible default. The mend shows what kind of value it takes.
missing-value: A key without a value
    After the colon stands nothing (or null). Write a value, or take the whole line out: then the
    default holds. In an override and in an overlay, null takes a key back to its default.
wrong-type: Another kind of thing was expected
    A list where a mapping should be, a mapping where one value should be, and so on. Lists are [a,
    b] or lines that begin with a dash; mappings are {a: 1} or lines of key: value.
duplicate-item: The same item twice in a list
    The order of the list may matter, a second mention never does. Take one out.
bad-name: Not a usable name
    Names of systems, sites and workloads have lower-case letters, digits and dashes, at most 40, a
    letter first and no dash last, so that they are also good in addresses and file names
    everywhere. Queues, stores and tenants may have underscores too; secrets have underscores and no
    dashes, since each arrives in a variable of its name in capitals.
reserved-name: A name that the system needs itself
    A workload called gateway could not be told from the gateway.
bad-variable: Not the name of an environment variable
    Letters, digits and underscores, not beginning with a digit.
reserved-variable: A variable that Lamplighter sets
    PORT and everything that begins with LAMP_ is set for each replica; a value from the spec would
    be overwritten.
bad-value: Not a usable value
    The message says what was expected.
bad-number: Not a number of the kind expected
    Numbers stand without quotes and without units: 2, 0.5. Kubernetes' 500m is written 0.5.
out-of-range: Beyond what is allowed
    The mend gives the bounds. They keep slips (a port of 80800, a bake of 30 years) from being
    obeyed.
bad-flag: Not true or false
    Only true and false are flags. What YAML 1.1 took for flags too (yes, no, on, off) is plain text
    here, since nobody agrees on it.
bad-choice: Not one of the words that are known here
    The message lists them, and the mend names the nearest.
bad-duration: Not a duration
    One number and one unit: 300ms, 30s, 2m, 4h, 30d, 2w (also us). A bare number is refused:
    seconds and milliseconds are mistaken for each other too easily.
bad-size: Not a size
    One number and one unit: Ki, Mi, Gi, Ti are 1024 each, K, M, G, T are 1000 each, B is bytes.
bad-percentage: Not a percentage
    A number from 0 to 100 and a percent sign. Without the sign, 1 could be all or a hundredth.
bad-quantile: Not a quantile
    p and two to four digits: p50 is the median, p99 the hundredth slowest, p999 the thousandth.
bad-money: Not a limit on spending
    A sum, a currency and a period: 500 USD/month; the period is hour, day, week or month.
unsupported-currency: Not in US dollars
    Prices of machines are known in US dollars. Rates of exchange change daily, and a budget that
    moves by itself protects nobody: convert it once, by hand.
bad-schedule: Not a cron schedule
    Five fields: minute 0-59, hour 0-23, day of the month 1-31, month 1-12, day of the week 0-7 (0
    and 7 are Sunday; three-letter names will do). In each: *, a number, a-b, */n, a-b/n, or several
    with commas. It is read in the system's time zone.
bad-freeze: Not a weekly window
    Two times of the week, as "Fri 18:00 - Mon 08:00", in the system's time zone. It may run over
    the end of the week.
unknown-timezone: Not a time zone
    Names are those of the IANA database, with its capitals: Europe/Berlin, America/New_York, UTC.
    Abbreviations such as CET or EST say nothing of summer time.
bad-path: Not a path
    A path begins with / and has no spaces, no #, no empty and no .. parts. Routes have no query;
    health paths and checks may.
bad-json-path: Not a JSON path that is understood
    $ is the whole answer, .name and ['a name'] go into an object, [0] into a list. Wildcards,
    slices and filters are not understood: a check asks for one value.
bad-pattern: Not a regular expression
    The syntax is that of Python's re. In double quotes YAML takes backslashes for itself; use
    single ones.
bad-reference: Not a reference to something in Python
    module:name, the module as Python imports it from the workload's folder: library.search:app is
    the object app in library/search.py.
bad-command: Not a command
    A program and its arguments, as in a shell. A quote that is not closed makes it unreadable.
bad-image: Not an image
    registry/name:tag or registry/name@sha256:digest, the name in lower case.
bad-folder: Not a place below the system's folder
    Releases are cut from the folder that holds lamp.yaml; what lies outside of it cannot be part of
    one. Paths are relative, with / between names.
bad-version: Not a version of Python
    A minor version such as 3.12, or an exact one such as 3.12.4.
unsupported-version: Another version of the spec's language
    This Lamplighter reads version 1. A newer spec needs a newer Lamplighter.
bad-host: Not an address to listen on
    An IP address of this machine: 127.0.0.1 (or localhost) is reached from this machine only,
    0.0.0.0 and :: from every network.
bad-goal: Not a goal
    A number of requests (8), a duration (300ms) or a percentage (70%), by what scaling goes on.
no-way-to-run: Nothing says how this is started
    A service has exactly one of app (an ASGI app, module:name), command (a program that listens on
    $PORT) and image (a container image).
two-ways-to-run: More than one way to start this
    A service has exactly one of app, command and image. To start it in another way at one site, put
    that way into its overrides: at: {prod: {image: ...}}.
min-above-max: Fewer at most than at least
    min is above max. Where an override sets only one of them, the other still comes from the
    service.
goal-unit: The goal has another unit than what is measured
    in_flight and rate take a number, latency a duration, cpu a percentage.
windows-swapped: The panic window is the longer one
    The panic window notices a rise soon, the other lets replicas go only after a long calm.
app-speaks-http1: An app that should speak HTTP/2
    An ASGI app given by app is served by uvicorn, which speaks HTTP/1.1. Clients may speak HTTP/2 to the
    gateway all the same. For HTTP/2 or gRPC between gateway and replica give a command whose server
    speaks it, such as hypercorn, granian or a gRPC server.
grpc-health: A health check that cannot be asked
    The gRPC health protocol is a gRPC call, so it needs protocol grpc, and stands instead of a path.
steps-not-ascending: Steps that do not rise
    Each step of a rollout gives the new release a larger share of the traffic than the one before.
steps-end: Steps that do not end at 100%
    A rollout ends when all traffic goes to the new release; so the last step is 100%.
deleted-first: Deleted before it is archived
    With these times no object would ever be archived.
kept-too-short: Copies are gone before the next one
    There would be hours without any copy. Keep each at least one interval long.
not-in-override: A key that cannot differ by site
    Overrides change how a workload runs at a site. Where it runs at all is said by the workload
    itself.
duplicate-workload: Two workloads of one name
    Services, agent pools and jobs share one set of names: decisions, logs and addresses go by it.
unknown-workload: A workload that is not there
    needs and calls name services, agent pools or jobs of the same spec. The mend names the nearest.
unknown-secret: A secret that is not there
    Each secret that a workload asks for is declared once under secrets, with where its value is
    read. A value itself never stands in a spec.
unknown-site: A site that is not there
    Sites are named under sites. Without any there is one, called here: this machine.
no-default-site: Several sites and no default
    Commands that name no site mean default_site. With several sites, and none called here, it must
    be said.
agents-at-zero: A pool of agents without a host
    Agents have timers that go off and mail that is on its way; with no host nothing of it would
    happen until somebody asks. Let min be 1 or more: idle agents cost a host next to nothing.
duplicate-route: Two workloads under one path
    The gateway could not tell whose request it is. A slash at the end makes no difference.
    Agents are under /agents/KIND for each class that is named, or /agents for a module, unless their
    pool has a route.
needs-cycle: Workloads that need each other
    needs is about starting: what is needed must be ready first. In a circle nothing could ever
    start. Calls between running services may well go round; they are no matter for needs.
"""

_WARNINGS = """
nothing-to-run: Nothing would run
    A spec without services, agents and jobs is sound, and does nothing.
no-health-path: No health path
    Without one, a replica counts as ready as soon as its port accepts a connection: many programs
    open it before they can answer, and some that hang keep it open. A page that answers 200 when
    the program can do its work is the best thing that a service can have.
no-route: No route
    Without a route a service is reached by the system's other workloads only (as LAMP_URL_...). If
    no service has one, users reach nothing.
open-gateway: The gateway is open to the network
    Everyone who reaches this machine reaches the services. That may well be meant.
always-frozen: Frozen all week
    The freeze windows leave no minute in which a release could roll out.
unused-secret: A secret that nobody asks for
    No workload has it under its secrets.
tenants-over-budget: Tenants may spend more than the system
    The tenants' budgets add up to more than the budget of the system, which ends spending first.
single-replica: An availability promised on one replica
    When the only replica dies there is none until the next one is ready. Two or more, and a death
    costs nothing that a retry does not mend.
no-room-to-scale: Nothing to scale
    scale is given, but min and max leave one number only.
no-room-to-roll-out: No room for a new release
    A rollout starts a replica of the new release or ends one of the old before anything else. With
    min and max equal and a surge of 0 it may do neither, and waits for ever.
idle-without-zero: Idle without going to zero
    idle says after how long with nothing to do the last replica goes. Only a service with min 0 goes to
    zero; any other keeps its min.
drain-too-short: Calls may outlive the drain
    A replica that goes has drain to finish what it has begun; calls that may take longer than that
    can be cut.
nested-route: A route inside of another
    Requests go to the longest route that fits. The outer service never sees what the inner one
    takes.
idle-replicas: More hosts of agents than shards
    A host holds shards, and a shard holds partitions; one that has none only takes requests. Both
    numbers hold for as long as the pool's folder does, so choose them for what is to come.
spot-without-checkpoint: Work that can be lost
    A spot machine is cheap because it can be taken away. Without checkpoints the job starts over
    each time.
secret-in-spec: A value that looks like a secret
    Specs are kept in git, shown in plans and recorded. Declare the secret under secrets, with the
    variable or file that holds it, and name it in the workload's secrets: it arrives in the same
    variable.
not-expanded: A variable that is not expanded
    Values under env are handed over as they stand, so that a spec means the same on every machine.
"""
