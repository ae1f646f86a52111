"""autogen-core agents as kinds of agents: the runtime that they register with is ours.

`agents_of` is handed the function by which a program registers its agents; factories and subscriptions are
kept, and for each turn the factory makes the agent, which is given its durable state. What it sends is an ask
of the turn, what it publishes goes to whoever subscribes, when the turn commits.
"""

import dataclasses
import inspect
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import msgspec
from autogen_core import (
    AgentId,
    AgentInstantiationContext,
    AgentType,
    CancellationToken,
    MessageContext,
    MessageHandlerContext,
    TopicId,
)
from pydantic import BaseModel, TypeAdapter

from lamplighter.runtime.adapters import keeping
from lamplighter.runtime.adapters.making import Making, kebab
from lamplighter.runtime.adapters.requests import Requests
from lamplighter.runtime.agents.agent import Agent, Message
from lamplighter.runtime.agents.errors import AgentDefinitionError, UnknownKindError
from lamplighter.runtime.agents.turn import Turn

ASK_TIMEOUT_S = 300.0
"""How long an agent waits for another: a model's answer may lie in between."""
_OURS = [("lamp_from", str, ""), ("lamp_topic", str, "")]
"""What a message has besides its own fields: who sent it, and the topic it was published to."""


class Crew:
    """The agents of one program: a runtime to register with, whose agents become kinds."""

    def __init__(self) -> None:
        self.factories: dict[str, tuple[Callable[[], Any], type]] = {}
        self.subscriptions: list[Any] = []
        self.messages: dict[type, type[Message]] = {}
        self._types: dict[str, TypeAdapter[Any]] = {}

    async def register_factory(
        self,
        type: str | AgentType,  # noqa: A002 - the framework's word
        agent_factory: Callable[[], Any],
        *,
        expected_class: "type | None" = None,
    ) -> AgentType:
        """See `autogen_core.AgentRuntime`."""
        named = type if isinstance(type, str) else type.type
        if expected_class is None or not hasattr(expected_class, "_handles_types"):
            raise AgentDefinitionError(f"{named} does not say its class", mend="register it by its class")
        self.factories[named] = (agent_factory, expected_class)
        return AgentType(named)

    async def add_subscription(self, subscription: Any) -> None:
        """See `autogen_core.AgentRuntime`."""
        self.subscriptions.append(subscription)

    def add_message_serializer(self, serializer: Any) -> None:
        """See `autogen_core.AgentRuntime`; messages are written by pydantic instead."""

    def kinds(self) -> list[type[Agent]]:
        """Return an agent class for each type that was registered."""
        return [self._kind(named, *made) for named, made in self.factories.items()]

    def published(self, topic: TopicId, value: Any, *, sender: str = "") -> Iterable[tuple[str, Message]]:
        """Yield whom a published value goes to, with the message for each."""
        reached = set()
        for subscription in self.subscriptions:
            if not subscription.is_match(topic):
                continue
            recipient = subscription.map_to_agent(topic)
            address = self.address(recipient)
            if address == sender or address in reached or not self._takes(recipient, type(value)):
                continue
            reached.add(address)
            yield address, self.message(value, sender, topic)

    def message(self, value: Any, sender: str = "", topic: TopicId | None = None) -> Message:
        """Return a value as a message of ours."""
        cls = self.messages.get(type(value))
        if cls is None:
            raise AgentDefinitionError(f"no agent of this program handles {type(value).__name__}")
        fields = TypeAdapter(type(value)).dump_python(value, mode="json")
        return cls(**fields, lamp_from=sender, lamp_topic=f"{topic.type}/{topic.source}" if topic else "")

    def address(self, agent: AgentId) -> str:
        """Return our address of an agent.

        Raises:
            UnknownKindError: its type is not registered.
        """
        if agent.type not in self.factories:
            raise UnknownKindError(f"no agent type {agent.type!r} is registered")
        return f"{kebab(agent.type)}/{agent.key}"

    def agent_id(self, address: str) -> AgentId:
        """Return the framework's name of an agent."""
        kind, _, key = address.partition("/")
        named = next((each for each in self.factories if kebab(each) == kind), kind)
        return AgentId(named, key)

    def answer(self, value: Any) -> Any:
        """Return an answer as it was given: a value of the type that it names."""
        if isinstance(value, dict) and set(value) == {"type", "fields"} and value["type"] in self._types:
            return self._types[value["type"]].validate_python(value["fields"])
        return value

    def _takes(self, agent: AgentId, kind: type) -> bool:
        made = self.factories.get(agent.type)
        return made is not None and kind in {handled for handled, _ in made[1]._handles_types()}  # type: ignore[attr-defined]  # asserted on registering # noqa: SLF001

    def _kind(self, named: str, factory: Callable[[], Any], cls: Any) -> type[Agent]:
        making = Making(named, doc=inspect.getdoc(cls) or "")
        making.field("kept", bytes, bytes)
        handled = dict.fromkeys(taken for taken, _ in cls._handles_types())
        produced = {made for each in cls._discover_handlers() for made in each.produces_types}
        for answer in produced:
            if isinstance(answer, type) and answer is not type(None):
                self._types[answer.__name__] = TypeAdapter(answer)
        for taken in handled:
            message = self.messages.setdefault(taken, _message(taken))
            making.handler(
                kebab(taken.__name__).replace("-", "_"), message, Any, self._handler(factory, taken)
            )
        return making.made()

    def _handler(self, factory: Callable[[], Any], taken: type) -> Callable[..., Awaitable[Any]]:
        adapter = TypeAdapter(taken)
        names = [name for name, _ in _fields(taken)]

        async def handle(self_: Any, turn: Turn, message: Any) -> Any:
            found = {name: getattr(message, name) for name in names}
            value = adapter.validate_python({n: v for n, v in found.items() if v is not msgspec.UNSET})
            requests = Requests(turn)
            bound = Bound(self, turn, requests)
            agent = await bound.made(factory)
            fresh = keeping.attributes(agent)
            await keeping.restore(agent, self_.kept)
            bound.journal_models(agent)
            answer = await requests.drive(bound.handled(agent, value, message))
            self_.kept = await keeping.kept(agent, fresh)
            return _plain(answer)

        return handle


class Bound:
    """The runtime as one turn's agent sees it.

    Args:
        crew: all agents of its program.
        turn: its turn.
        requests: what it waits for goes there.
    """

    def __init__(self, crew: Crew, turn: Turn, requests: Requests) -> None:
        self._crew = crew
        self._turn = turn
        self._requests = requests

    async def made(self, factory: Callable[[], Any]) -> Any:
        """Make the agent."""
        named = self._crew.agent_id(self._turn.address)
        with AgentInstantiationContext.populate_context((self, named)):
            made = factory()
            agent = await made if inspect.isawaitable(made) else made
        if not hasattr(agent, "_id"):
            await agent.bind_id_and_runtime(named, self)
        return agent

    async def handled(self, agent: Any, value: Any, message: Any) -> Any:
        """Let the agent handle a message."""
        sender = self._crew.agent_id(message.lamp_from) if message.lamp_from else None
        kind, _, source = message.lamp_topic.partition("/")
        topic = TopicId(kind, source) if message.lamp_topic else None
        name = f"{self._turn.address}:{self._turn.now}"
        context = MessageContext(sender, topic, topic is None, CancellationToken(), name)
        with MessageHandlerContext.populate_context(agent.id):
            return await agent.on_message(value, context)

    async def send_message(self, message: Any, recipient: AgentId, **_: Any) -> Any:
        """See `autogen_core.AgentRuntime`: the other agent's answer, through crashes as well."""
        packed = self._crew.message(message, self._turn.address)
        asked = self._turn.ask(self._crew.address(recipient), packed, timeout_s=ASK_TIMEOUT_S)
        return self._crew.answer(await self._requests.asked(asked))

    async def publish_message(self, message: Any, topic_id: TopicId, **_: Any) -> None:
        """See `autogen_core.AgentRuntime`: leaves when the turn commits."""
        for address, packed in self._crew.published(topic_id, message, sender=self._turn.address):
            self._turn.send(address, packed)

    async def get(self, id_or_type: Any, /, key: str = "default", **_: Any) -> AgentId:
        """See `autogen_core.AgentRuntime`."""
        if isinstance(id_or_type, AgentId):
            return id_or_type
        return AgentId(id_or_type if isinstance(id_or_type, str) else id_or_type.type, key)

    def journal_models(self, agent: Any) -> None:
        """Have what the agent asks of a model journaled."""
        from autogen_core.models import ChatCompletionClient  # noqa: PLC0415 - half a second, if there is none

        from lamplighter.runtime.adapters.autogen_models import Journaled  # noqa: PLC0415 - likewise

        for name, value in vars(agent).items():
            if isinstance(value, ChatCompletionClient):
                setattr(agent, name, Journaled(value, self._turn, self._requests))


def agents_of(register: Callable[[Any], Awaitable[Any]]) -> tuple[list[type[Agent]], Crew]:
    """Make all agents that a program registers kinds of agents.

    Args:
        register: the program's own function: it is given a runtime, and registers agents and subscriptions.

    Returns:
        The agent classes, and the crew: `crew.message(value)` makes a message of a value, and
        `crew.published(topic, value)` says whom a published one goes to.

    Raises:
        AgentDefinitionError: it waits for something, or registers what cannot be adapted.
    """
    crew = Crew()
    coroutine: Any = register(crew)
    try:
        coroutine.send(None)
    except StopIteration:
        return crew.kinds(), crew
    coroutine.close()
    raise AgentDefinitionError(
        f"{getattr(register, '__qualname__', register)} waits for something while it registers",
        mend="let it only register agents and subscriptions",
    )


def of_class(cls: Any, *, name: str = "", factory: Callable[[], Any] | None = None) -> type[Agent]:
    """Make one agent class a kind of agent.

    Args:
        cls: the class, a `RoutedAgent`.
        name: of the type it is registered as; the class's name by default.
        factory: makes one; the class itself by default.
    """

    async def register(runtime: Any) -> None:
        await cls.register(runtime, name or kebab(cls.__name__), factory or cls)

    return agents_of(register)[0][0]


def _fields(taken: type) -> list[tuple[str, bool]]:
    """Return the fields of a message's type, and whether each must be given."""
    if dataclasses.is_dataclass(taken):
        missing = dataclasses.MISSING
        found = dataclasses.fields(taken)
        return [(each.name, each.default is missing and each.default_factory is missing) for each in found]
    if issubclass(taken, BaseModel):
        fields: Any = vars(taken)["__pydantic_fields__"]
        return [(name, field.is_required()) for name, field in fields.items()]
    raise AgentDefinitionError(
        f"{taken.__qualname__} cannot be written down", mend="make it a dataclass or a pydantic model"
    )


def _message(taken: type) -> type[Message]:
    fields: list[Any] = [
        (name, Any) if required else (name, Any, msgspec.UNSET) for name, required in _fields(taken)
    ]
    made = msgspec.defstruct(
        taken.__name__,
        [*fields, *_OURS],
        bases=(Message,),
        module=taken.__module__,
        kw_only=True,
        frozen=True,
    )
    assert issubclass(made, Message), "it was derived from it"
    return made


def _plain(answer: Any) -> Any:
    if dataclasses.is_dataclass(answer) or isinstance(answer, BaseModel):
        fields = TypeAdapter(type(answer)).dump_python(answer, mode="json")
        return {"type": type(answer).__name__, "fields": fields}
    return answer
