"""What a turn does, seen from outside: all of it takes place, or nothing, and only once."""

import pytest
from tests.unit.agents.crew import (
    FAILED,
    Answer,
    Ask,
    Cancel,
    Chain,
    Critic,
    Fail,
    Fan,
    Grow,
    Leave,
    Poll,
    Reader,
    Remind,
    Study,
)

from lamplighter.runtime.agents.errors import (
    AskCycleError,
    AskTimeoutError,
    HandlerFailedError,
    OverloadedError,
    StateTooLargeError,
    UnknownKindError,
)
from lamplighter.testing.agents import World


@pytest.fixture(params=[1, 3])
def world(request: pytest.FixtureRequest) -> World:
    """Agents on one host, and on three."""
    FAILED.clear()
    return World([Reader, Critic], machines=request.param)


def test_a_turn_changes_state_sends_and_answers(world: World) -> None:
    """State, send and answer of a turn all take place."""
    assert Answer("?") == world.ask("reader/1", Ask("?"))
    assert (1, 1) == (world.state("reader/1").seen, world.state("critic/7").total)


def test_nothing_remains_of_a_turn_that_fails(world: World) -> None:
    """Neither the state nor a send of a failed try is to be seen."""
    assert 1 == world.ask("reader/1", Fail(2))
    assert (1, 1) == (world.state("reader/1").seen, world.state("critic/7").total)


def test_a_message_that_keeps_failing_becomes_a_dead_letter(world: World) -> None:
    """After its attempts a message is a dead letter with the reason, and the agent goes on."""
    with pytest.raises(HandlerFailedError, match="ValueError: not yet"):
        world.ask("reader/1", Fail(99))
    assert [("reader/1", "handler-failed: ValueError: not yet")] == world.dead_letters()
    assert Answer("next") == world.ask("reader/1", Ask("next"))


def test_a_dead_letter_can_be_sent_again(world: World) -> None:
    """A dead letter that is replayed is handled as a new message."""
    with pytest.raises(HandlerFailedError):
        world.ask("reader/1", Fail(3))
    world.replay("reader/1")
    assert ([], 1) == (world.dead_letters(), world.state("reader/1").seen)


def test_a_state_that_grows_beyond_its_limit_is_refused(world: World) -> None:
    """The turn is undone, and the error names size and limit."""
    with pytest.raises(StateTooLargeError, match="its kind may have 1000"):
        world.ask("reader/1", Grow(2000))
    assert world.state("reader/1") is None


def test_a_message_to_an_unknown_kind_is_refused(world: World) -> None:
    """The error lists the kinds that there are."""
    with pytest.raises(UnknownKindError) as told:
        world.ask("raeder/1", Ask("?"))
    assert "critic, reader" in told.value.mend


def test_a_message_that_no_handler_takes_is_a_dead_letter(world: World) -> None:
    """It is refused at once, without further tries."""
    world.send("critic/1", Ask("?"))
    assert ["critic/1"] == [address for address, _ in world.dead_letters()]


def test_a_timer_goes_off_once_and_at_its_time(world: World) -> None:
    """A timer survives a crash, and a clock that is set back does not repeat it."""
    world.send("reader/1", Remind(30))
    for number in range(len(world.machines)):
        world.crash(number)
    world.advance(31)
    world.now -= 20
    world.advance(60)
    assert ["reminded at 1e+09"] == world.state("reader/1").notes


def test_a_timer_can_be_called_off(world: World) -> None:
    """The name that `after` returned cancels it, from a later turn."""
    world.send("reader/1", Remind(30))
    world.send("reader/1", Cancel())
    world.advance(60)
    assert [] == world.state("reader/1").notes


def test_an_agent_that_leaves_begins_anew(world: World) -> None:
    """After `delete` there is no state, also after a crash; the next message begins a new one."""
    world.send("reader/1", Ask("?"))
    world.send("reader/1", Leave())
    for number in range(len(world.machines)):
        world.crash(number)
    assert world.state("reader/1") is None
    world.send("reader/1", Ask("?"))
    assert 1 == world.state("reader/1").seen


def test_several_questions_are_asked_at_once(world: World) -> None:
    """`every` returns the answers in the order of the questions."""
    assert [0, 1, 2, 3] == world.ask("reader/1", Fan(4))


def test_one_that_fails_need_not_spoil_the_others() -> None:
    """With `failures`, `every` gives an error in its place beside the answers."""
    answer, error = World([Reader, Critic], machines=2).ask("reader/1", Poll())
    assert ("4", True) == (answer, "not yet" in error)


def test_questions_in_a_circle_are_refused_at_once(world: World) -> None:
    """An agent that asks one that waits for it gets an error that shows the circle."""
    before = world.now
    with pytest.raises(AskCycleError, match="reader/1 -> reader/2 -> reader/1"):
        world.ask("reader/1", Chain(["reader/2", "reader/1"]), timeout_s=200)
    assert world.now - before < 30


def test_a_question_without_an_answer_ends_at_its_deadline() -> None:
    """The asking turn sees a timeout; the agent that is asked goes on waiting for what it waits for."""
    world = World([Reader, Critic], caller=_never)
    world.send("reader/2", Study("?"))
    with pytest.raises(AskTimeoutError, match="reader/2 did not answer within 30 s"):
        world.ask("reader/1", Chain(["reader/2"]), timeout_s=200)


def test_a_full_mailbox_refuses() -> None:
    """What a busy agent has no room for is refused with a time to come again."""
    world = World([Reader, Critic], caller=_never)
    world.send("reader/1", Study("?"))
    for _ in range(3):
        world.send("reader/1", Ask("?"))
    with pytest.raises(OverloadedError) as told:
        world.send("reader/1", Ask("?"))
    assert told.value.retry_after_s > 0


def test_mail_waits_in_its_order_behind_a_suspended_turn(world: World) -> None:
    """An agent takes no other message while a turn of it waits."""
    world.send("reader/1", Study("a"))
    world.send("reader/1", Ask("?"))
    assert world.state("reader/1") is None
    world.advance(4)
    assert (["A"], 1) == (world.state("reader/1").notes, world.state("reader/1").seen)


def _never(_: object) -> None:
    raise OverloadedError("not now", retry_after_s=1.0)
