"""NATS JetStream: a subject an agent in one stream on disk; a message is a publish that is acknowledged."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import nats
from nats.js.api import StorageType, StreamConfig

CHUNK = 100
START_S = 20.0
STOP_S = 10.0
CONFIGURATION = """\
listen: "127.0.0.1:-1"
ports_file_dir: {folder}
jetstream {{ store_dir: {store}, sync_interval: always }}
"""


class Program:
    """One server that syncs each message before it acknowledges it; this process is the client."""

    rest_s = 0.0

    def __init__(self) -> None:
        self.forms = {"sequential": (1, self._publish), "pipelined": (CHUNK, self._publish_many)}
        self._made = 0

    async def start(self, folder: Path) -> None:
        """Start the server, connect, and make the stream."""
        configuration = folder / "nats.conf"
        configuration.write_text(
            CONFIGURATION.format(folder=json.dumps(str(folder)), store=json.dumps(str(folder / "store")))
        )
        program = Path(sys.executable).parent / "nats-server"
        log = (folder / "nats.log").open("wb")
        self._server = await asyncio.create_subprocess_exec(
            str(program), "-c", str(configuration), stdout=log, stderr=log
        )
        log.close()
        self._client = await nats.connect(await self._url(folder))
        self._stream = self._client.jetstream()
        await self._stream.add_stream(
            StreamConfig(name="agents", subjects=["agents.>"], storage=StorageType.FILE)
        )

    async def make(self, agents: range) -> None:
        """Publish once to each subject: to a stream, an agent is no more than that."""
        for start in range(0, len(agents), CHUNK):
            await self._publish_many(agents[start : start + CHUNK], "made")
        self._made += len(agents)

    async def handled(self) -> int:
        """Return how many messages the stream holds, but for those that made the subjects."""
        held: int = (await self._stream.stream_info("agents")).state.messages
        return held - self._made

    async def stop(self) -> None:
        """Close the connection and end the server."""
        await self._client.close()
        with suppress(ProcessLookupError):
            os.kill(self._server.pid, signal.SIGTERM)
        await asyncio.wait_for(self._server.wait(), STOP_S)

    async def _url(self, folder: Path) -> str:
        ports = folder / f"nats-server_{self._server.pid}.ports"
        async with asyncio.timeout(START_S):
            while not (ports.exists() and ports.read_text().endswith("}")):  # noqa: ASYNC110 - a file
                await asyncio.sleep(0.05)
        url: str = json.loads(ports.read_text())["nats"][0]
        return url

    async def _publish(self, agents: Sequence[int], text: str) -> None:
        await self._stream.publish(f"agents.reader.{agents[0]}", text.encode())

    async def _publish_many(self, agents: Sequence[int], text: str) -> None:
        payload = text.encode()
        pending = [await self._stream.publish_async(f"agents.reader.{each}", payload) for each in agents]
        await asyncio.gather(*pending)
