"""Releases are cut from real folders, real git and a real uv."""

import subprocess
from pathlib import Path

import pytest

from lamplighter.adapters.secrets import LocalSecrets
from lamplighter.model.errors import EnvironmentFault, UserError
from lamplighter.model.release import Release
from lamplighter.model.system import AgentPool, Python, Run, SecretSource, Service
from lamplighter.targets.local.releases import PLAN_FORMAT, ReleaseStore, cut, identify, launch


def quiet(_: str) -> None:
    """Say nothing."""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a small prototype in a git checkout with one tracked, one new and one ignored file."""
    folder = tmp_path / "prototype"
    folder.mkdir()
    (folder / "app.py").write_text("print('one')\n")
    (folder / ".gitignore").write_text("*.log\n")
    (folder / "noise.log").write_text("noise")
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    subprocess.run(["git", "-C", str(folder), "add", "app.py"], check=True)
    (folder / "new.py").write_text("")
    return folder


@pytest.fixture
def store(tmp_path: Path) -> ReleaseStore:
    """Return an empty release store."""
    return ReleaseStore(tmp_path / "releases")


def command(**fields: object) -> Service:
    """Return a service that runs app.py."""
    return Service(name="web", run=Run(kind="command", value="python app.py"), **fields)  # type: ignore[arg-type]


def cut_here(service: Service, source: Path, store: ReleaseStore) -> Release:
    """Cut a release with no secrets."""
    return cut(service, source, store, LocalSecrets(store.root / "secrets", {}), quiet)


def test_same_source_is_same_release(source: Path, store: ReleaseStore) -> None:
    """Cutting twice from unchanged files gives one release, kept once."""
    assert cut_here(command(), source, store) == cut_here(command(), source, store)
    assert len(store.all("web")) == 1


def test_release_holds_what_git_lists_and_new_files(source: Path, store: ReleaseStore) -> None:
    """Tracked and new files are part of a release, ignored ones are not."""
    tree = store.trees / cut_here(command(), source, store).tree
    names = sorted(each.name for each in tree.iterdir() if each.name != "__pycache__")
    assert names == [".gitignore", "app.py", "new.py"]


def test_release_does_not_follow_the_working_tree(source: Path, store: ReleaseStore) -> None:
    """Editing a file after the cut changes nothing in the release, and the next cut is another one."""
    first = cut_here(command(), source, store)
    (source / "app.py").write_text("print('two')\n")
    second = cut_here(command(), source, store)
    assert (store.trees / first.tree / "app.py").read_text() == "print('one')\n"
    assert first.id != second.id


def test_lampignore_outside_git(tmp_path: Path, store: ReleaseStore) -> None:
    """Outside a git checkout everything but what .lampignore names is part of a release."""
    folder = tmp_path / "plain"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "big.bin").write_text("x")
    (folder / "app.py").write_text("")
    (folder / ".lampignore").write_text("# comment\ndata/\n")
    tree = store.trees / cut_here(command(), folder, store).tree
    names = sorted(each.name for each in tree.iterdir() if each.name != "__pycache__")
    assert names == [".lampignore", "app.py"]


def test_configuration_is_part_of_a_release(source: Path, store: ReleaseStore) -> None:
    """A changed environment variable makes another release of the same tree."""
    plain, configured = cut_here(command(), source, store), cut_here(command(env={"A": "1"}), source, store)
    assert plain.tree == configured.tree
    assert plain.id != configured.id


def test_secret_value_is_nowhere_in_the_release(
    source: Path, store: ReleaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A release names the version of a secret; its value stands only in a file of mode 0600."""
    monkeypatch.setenv("KEY", "hunter2-very-secret")
    secrets = LocalSecrets(store.root / "secrets", {"key": SecretSource(name="key", source="env", key="KEY")})
    release = cut(command(secrets=("key",)), source, store, secrets, quiet)
    holding = [each for each in store.root.rglob("*") if each.is_file() and b"hunter2" in each.read_bytes()]
    assert [each.parent.name for each in holding] == ["secrets"]
    assert [each.stat().st_mode & 0o777 for each in holding] == [0o600]
    assert secrets.value("key", release.secrets["key"]) == "hunter2-very-secret"


def test_rotated_secret_keeps_the_old_version(
    source: Path, store: ReleaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a rotation the earlier release still starts with the value that it was cut with."""
    secrets = LocalSecrets(store.root / "secrets", {"key": SecretSource(name="key", source="env", key="KEY")})
    monkeypatch.setenv("KEY", "first")
    first = cut(command(secrets=("key",)), source, store, secrets, quiet)
    monkeypatch.setenv("KEY", "second")
    second = cut(command(secrets=("key",)), source, store, secrets, quiet)
    assert ["first", "second"] == [secrets.value("key", each.secrets["key"]) for each in (first, second)]


def test_missing_secret_names_the_variable(store: ReleaseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret that is not set is refused with the name of the variable that would set it."""
    monkeypatch.delenv("KEY", raising=False)
    secrets = LocalSecrets(store.root / "secrets", {"key": SecretSource(name="key", source="env", key="KEY")})
    with pytest.raises(EnvironmentFault, match="environment variable KEY"):
        secrets.version("key")


def test_missing_lock_file_is_a_user_error(source: Path, store: ReleaseStore) -> None:
    """A lock file that is not among the files is named, and nothing is built."""
    with pytest.raises(UserError, match=r"uv\.lock") as caught:
        cut_here(command(python=Python(requirements="uv.lock")), source, store)
    assert caught.value.code == "no-lock-file"
    assert list(store.environments.iterdir()) == []


def test_uv_lock_without_its_project_is_a_user_error(source: Path, store: ReleaseStore) -> None:
    """A uv.lock is of use only with the pyproject.toml that it was made from."""
    (source / "uv.lock").write_text("version = 1\n")
    with pytest.raises(UserError, match="pyproject") as caught:
        identify(command(python=Python(requirements="uv.lock")), source, LocalSecrets(store.root, {}))
    assert caught.value.code == "no-lock-file"


def test_spec_and_plans_are_no_part_of_a_release(source: Path, store: ReleaseStore) -> None:
    """A spec edited or a plan written beside the sources makes no new release; other JSON does."""
    first = cut_here(command(), source, store)
    (source / "lamp.yaml").write_text("version: 1\n")
    (source / "plan.json").write_text(f'{{"format":"{PLAN_FORMAT}","plan":{{}}}}')
    assert cut_here(command(), source, store) == first
    (source / "data.json").write_text('{"format":"other"}')
    assert cut_here(command(), source, store) != first


def test_environment_is_built_once_and_shared(source: Path, store: ReleaseStore) -> None:
    """Two releases with one lock file share one environment, whose python runs what the lock brings."""
    (source / "requirements.txt").write_text("six==1.17.0\n")
    python = Python(requirements="requirements.txt")
    first = cut_here(command(python=python), source, store)
    (source / "app.py").write_text("import six\nprint(six.__version__)\n")
    second = cut_here(command(python=python), source, store)
    assert first.environment == second.environment
    started = launch(store.root, second, port=1, secrets={}, extra={})
    ran = subprocess.run(started.argv, cwd=started.cwd, env=started.env, capture_output=True, check=True)
    assert ran.stdout == b"1.17.0\n"


def test_agents_find_their_runtime(source: Path, store: ReleaseStore) -> None:
    """The environment of a pool has what runs agents, though its lock file does not name it."""
    (source / "requirements.txt").write_text("six==1.17.0\n")
    pool = AgentPool(name="swarm", agent=("app",), python=Python(requirements="requirements.txt"))
    release = cut_here(pool.service(), source, store)
    started = launch(store.root, release, port=4321, secrets={}, extra={})
    hosts = ["-m", "lamplighter.runtime", "host", "--port", "4321"]
    assert hosts == started.argv[1:6]
    assert str(store.root.parent / "agents" / "swarm") in started.argv
    ran = subprocess.run([*started.argv[:4], "--help"], env=started.env, capture_output=True, check=True)
    assert b"--shards" in ran.stdout


def test_impossible_lock_file_says_what_uv_said(source: Path, store: ReleaseStore) -> None:
    """A requirement that cannot be met is refused in uv's words and leaves no half-built environment."""
    (source / "requirements.txt").write_text("six==999\n")
    with pytest.raises(UserError, match="six") as caught:
        cut_here(command(python=Python(requirements="requirements.txt")), source, store)
    assert caught.value.code == "environment-not-built"
    assert not any((each / "lamplighter-ready").exists() for each in store.environments.iterdir())


def test_replica_sees_only_a_named_environment(
    source: Path, store: ReleaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user's other variables do not reach a replica; secrets do, and stand in no argument."""
    monkeypatch.setenv("AWS_SECRET", "leak")
    started = launch(
        store.root,
        cut_here(command(), source, store),
        port=4321,
        secrets={"key": "v"},
        extra={"LAMP_REPLICA": "web-1"},
    )
    assert ("AWS_SECRET" in started.env, started.env["KEY"], started.env["PORT"]) == (False, "v", "4321")
    assert not any("v" == each for each in started.argv)


def test_release_is_compiled_once_and_then_left_alone(source: Path, store: ReleaseStore) -> None:
    """Modules are compiled when the release is cut; a replica that starts writes nothing into the tree."""
    (source / "app.py").write_text("import new\n")
    (source / "broken.py").write_text("def (\n")
    release = cut_here(command(), source, store)
    before = sorted((store.trees / release.tree).rglob("*"))
    started = launch(store.root, release, port=1, secrets={}, extra={})
    subprocess.run(started.argv, cwd=started.cwd, env=started.env, check=True)
    assert before == sorted((store.trees / release.tree).rglob("*"))
    assert {"app", "new"} == {each.name.split(".")[0] for each in before if each.suffix == ".pyc"}


def test_prune_keeps_what_is_used(source: Path, store: ReleaseStore) -> None:
    """Pruning deletes the releases that are not kept, and the trees that no kept one uses."""
    first = cut_here(command(), source, store)
    (source / "app.py").write_text("print('two')\n")
    second = cut_here(command(), source, store)
    assert store.prune({second.id}) == [first.id]
    assert [each.name for each in store.trees.iterdir()] == [second.tree]


def test_store_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """A state folder that is in fact a file is refused, naming the variable that moves it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFault) as caught:
        ReleaseStore(tmp_path / "file" / "releases").prepare()
    assert "LAMP_STATE_DIR" in caught.value.mend
