"""The mark in a resource limit: made, carried by children, read back, given back."""

import resource
import subprocess
from pathlib import Path

from lamplighter.targets.local.supervisor.lineage import carried, is_of_site, lineage, mark_in


def test_a_mark_tells_site_and_replica() -> None:
    """Two replicas of a site differ, both are of their site and of no other."""
    one, two = lineage("site", "web-1"), lineage("site", "web-2")
    assert (True, True, False) == (one != two, is_of_site(one, "site"), is_of_site(one, "other"))
    assert is_of_site(two, "site")


def test_a_process_without_a_mark_is_of_no_site() -> None:
    """No limit, and a limit that somebody else has set, are no marks."""
    unlimited = b"Max realtime timeout      unlimited            unlimited            us        \n"
    assert [0, 200_000] == [mark_in(unlimited), mark_in(unlimited.replace(b"unlimited", b"200000", 1))]
    assert [False, False] == [is_of_site(each, "site") for each in (0, 200_000)]


def test_children_carry_it_and_it_is_given_back() -> None:
    """A child with an empty environment, in a session of its own, shows the mark; we do not."""
    before = resource.getrlimit(resource.RLIMIT_RTTIME)
    with carried("site", "web-1"):
        child = subprocess.Popen(["/bin/sleep", "60"], env={}, start_new_session=True)
    limits = Path(f"/proc/{child.pid}/limits").read_bytes()
    child.kill()
    child.wait()
    assert lineage("site", "web-1") == mark_in(limits)
    assert before == resource.getrlimit(resource.RLIMIT_RTTIME)
