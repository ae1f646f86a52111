"""What goes on around a broker, in its environment: `python traffic.py PART BROKER ADDRESS ...`.

fill BROKER ADDRESS MESSAGES AGENTS          publishes numbers, each once
read BROKER ADDRESS SOCKET...                brings them to keepers
tell BROKER ADDRESS FOLDER SOCKET            hosts agents that publish what they are told
carried BROKER ADDRESS NUMBER FOLDER SOCKET... hosts keepers and tellers
drain BROKER ADDRESS MESSAGES                prints what was published, until all is there
"""

import asyncio
import contextlib
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "agents"))
from crew import Keeper, Put, Teller

from lamplighter.runtime import Agent, Message, Runtime, Turn
from lamplighter.runtime.agents.caller import Caller
from lamplighter.runtime.brokers import Arrival, Publish, Session, outlet, way_out

IN, OUT = "numbers", "told"
PATIENCE_S = 2.0


class Announcer(Agent):
    """Publishes what it is told."""

    async def on_put(self, turn: Turn, put: Put) -> None:
        """Publish."""
        turn.send(way_out("out", turn.address), Publish(OUT, b"%d" % put.n, turn.address))


def route(arrival: Arrival) -> tuple[str, Message]:
    """Whom a number goes to."""
    told = json.loads(arrival.body)
    return f"keeper/{told['agent']}", Put(told["n"])


async def until_done(act: Any) -> Any:
    """Do something until it succeeds: the broker is killed now and then."""
    while True:
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await act()
        except Exception:  # noqa: BLE001 - whatever its client raises
            await asyncio.sleep(0.05)


async def fill_nats(url: str, messages: int, agents: int) -> None:
    """Publish each number once: the stream knows it by its id."""
    import nats  # noqa: PLC0415 - only here
    from nats.js.api import StorageType, StreamConfig  # noqa: PLC0415 - only here

    client = await nats.connect(url, allow_reconnect=False)
    for name in (IN, OUT):
        stream = StreamConfig(name=name, subjects=[name], storage=StorageType.FILE)
        await client.jetstream().add_stream(stream)

    async def publish(n: int) -> None:
        nonlocal client
        if not client.is_connected:
            client = await nats.connect(url, allow_reconnect=False)
        body = json.dumps({"agent": n % agents, "n": n}).encode()
        await client.jetstream(timeout=1).publish(IN, body, headers={"Nats-Msg-Id": str(n)})

    for n in range(messages):
        await until_done(lambda n=n: publish(n))
    await client.close()


async def fill_kafka(servers: str, messages: int, agents: int) -> None:
    """Publish each number once; this broker is not killed."""
    from aiokafka import AIOKafkaProducer  # noqa: PLC0415 - only here
    from aiokafka.admin import AIOKafkaAdminClient, NewTopic  # noqa: PLC0415 - only here

    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    await admin.create_topics([NewTopic(name, 2, 1) for name in (IN, OUT)])
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all")
    await producer.start()
    for n in range(messages):
        body = json.dumps({"agent": n % agents, "n": n}).encode()
        await producer.send_and_wait(IN, body, partition=n % agents % 2)
    await producer.stop()


async def fill_rabbitmq(url: str, messages: int, agents: int) -> None:
    """Publish each number at least once, under an id of its own."""
    import aio_pika  # noqa: PLC0415 - only here

    from lamplighter.runtime.brokers.rabbitmq import Publisher  # noqa: PLC0415 - only here

    async def declare() -> None:
        async with await aio_pika.connect(url) as connection:
            channel = await connection.channel()
            for name in (IN, OUT):
                await channel.declare_queue(name, durable=True)

    await until_done(declare)
    publisher = Publisher(url)
    for n in range(messages):
        body = json.dumps({"agent": n % agents, "n": n}).encode()
        await until_done(lambda n=n, body=body: publisher(Publish(IN, body), str(n)))


async def drain_rabbitmq(url: str, messages: int) -> list[int]:
    """Read what was published, second copies passed over by their id."""
    import aio_pika  # noqa: PLC0415 - only here

    found: dict[str, int] = {}
    async with await aio_pika.connect(url) as connection:
        queue = await (await connection.channel()).get_queue(OUT)
        async with queue.iterator() as arriving:
            async for message in arriving:
                found[message.message_id] = int(message.body)
                await message.ack()
                if len(found) == messages:
                    break
    return list(found.values())


async def drain_nats(url: str, messages: int) -> list[int]:
    """Read what was published."""
    import nats  # noqa: PLC0415 - only here

    client = await nats.connect(url)
    subscription = await client.jetstream().pull_subscribe(OUT, stream=OUT)
    found: list[int] = []
    while len(set(found)) < messages:
        with contextlib.suppress(TimeoutError):
            found += [int(each.data) for each in await subscription.fetch(100, timeout=1)]
    with contextlib.suppress(TimeoutError):
        found += [int(each.data) for each in await subscription.fetch(100, timeout=1)]
    await client.close()
    return found


async def drain_kafka(servers: str, messages: int) -> list[int]:
    """Read what was published."""
    from aiokafka import AIOKafkaConsumer, TopicPartition  # noqa: PLC0415 - only here

    consumer = AIOKafkaConsumer(bootstrap_servers=servers, auto_offset_reset="earliest")
    await consumer.start()
    places = [TopicPartition(OUT, number) for number in range(2)]
    consumer.assign(places)
    await consumer.seek_to_beginning(*places)
    found: list[int] = []
    while len(set(found)) < messages:
        for records in (await consumer.getmany(timeout_ms=500)).values():
            found += [int(record.value) for record in records]
    await consumer.stop()
    return found


async def read(broker: str, address: str, sockets: list[Path]) -> None:
    """Bring what is published to keepers, until killed."""
    reader: Any
    if broker == "rabbitmq":
        from lamplighter.runtime.brokers import rabbitmq  # noqa: PLC0415 - only here

        async with Caller(sockets, partitions=8) as caller:
            await rabbitmq.Reader(address, IN, caller, route).run()
    async with Session(sockets, "numbers", route, partitions=8) as session:
        if broker == "nats":
            from lamplighter.runtime.brokers import nats  # noqa: PLC0415 - only here

            reader = nats.Reader(address, IN, session, name="keepers")
        elif broker == "kafka":
            from lamplighter.runtime.brokers import kafka  # noqa: PLC0415 - only here

            reader = kafka.Reader(address, IN, session, name="keepers")
        await reader.run()


async def carried(broker: str, address: str, number: int, folder: str, sockets: list[Path]) -> None:
    """Host keepers and tellers whose messages to the other host a broker carries, until killed."""
    carrier: Any
    if broker == "nats":
        from lamplighter.runtime.brokers.nats_carrier import NatsCarrier  # noqa: PLC0415 - only here

        carrier = NatsCarrier(address, "crew")
    else:
        from lamplighter.runtime.brokers.kafka_carrier import KafkaCarrier  # noqa: PLC0415 - only here

        carrier = KafkaCarrier(address, "crew")
    kinds = [Keeper, Teller]
    async with Runtime(
        folder, kinds, partitions=8, sockets=sockets, number=number, carrier=carrier
    ) as runtime:
        await runtime.ended


async def tell(broker: str, address: str, folder: str, socket: Path) -> None:
    """Host agents that publish, until killed."""
    publisher: Any
    if broker == "nats":
        from lamplighter.runtime.brokers import nats  # noqa: PLC0415 - only here

        publisher = nats.Publisher(address)
    elif broker == "kafka":
        from lamplighter.runtime.brokers import kafka  # noqa: PLC0415 - only here

        publisher = kafka.Publisher(address)
    else:
        from lamplighter.runtime.brokers import rabbitmq  # noqa: PLC0415 - only here

        publisher = rabbitmq.Publisher(address)
    kinds = [Announcer, outlet("out", publisher)]
    async with Runtime(folder, kinds, partitions=8, sockets=[socket]) as runtime:
        await runtime.ended


FILL = {"nats": fill_nats, "kafka": fill_kafka, "rabbitmq": fill_rabbitmq}
DRAIN = {"nats": drain_nats, "kafka": drain_kafka, "rabbitmq": drain_rabbitmq}


async def main(part: str, broker: str, address: str, *more: str) -> None:
    """Do one of them."""
    match part:
        case "fill":
            await FILL[broker](address, int(more[0]), int(more[1]))
        case "drain":
            print(json.dumps(await DRAIN[broker](address, int(more[0]))))  # noqa: T201
        case "read":
            await read(broker, address, [Path(socket) for socket in more])
        case "carried":
            await carried(broker, address, int(more[0]), more[1], [Path(socket) for socket in more[2:]])
        case "tell":
            await tell(broker, address, more[0], Path(more[1]))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
