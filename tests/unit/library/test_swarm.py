"""The swarm answers from what its readers have read, cites it, and loses nothing; in virtual time."""

import http.server
import json
import threading
from typing import Any

import pytest
from library import swarm
from library.passages import Passage, gather
from library.questions import WRITTEN
from library.swarm import Answer, Ask, Critic, HowFar, Librarian, Place, Placed, Reader, Recall, Router, Seek

from lamplighter.runtime import Turn
from lamplighter.testing.agents import World

AGENTS = (Reader, Router, Critic, Librarian)
SECTIONS = [
    Passage("function", "zipfile.is_zipfile", "", "Is it a file?\nTells a zip by its magic.", "z.py:1"),
    Passage("function", "json.loads", "", "Decode a document.\n\nThe text is json.", "json/__init__.py:9"),
    Passage("function", "csv.reader", "", "Read rows of a file, comma by comma.", "csv.py:3"),
    Passage("class", "queue.Queue", "", "Waits while it is empty.", "queue.py:7"),
]


def library(sections: list[Passage] = SECTIONS, halls: int = 1, machines: int = 2) -> World:
    """A library whose readers have read, and whose routers have told each other."""
    world = World(AGENTS, machines=machines)
    client = world.client("loader")
    for number in range(halls * len(sections)):
        client.send(*swarm.placement(number, sections))
    world.advance(2 * swarm.REPORT_S)
    return world


def ask(world: World, q: str, hall: str = "1") -> Answer:
    """Ask a critic of one's own."""
    answer: Answer = world.ask("critic/me", Ask(q, hall))
    return answer


def test_an_answer_cites_section_and_line() -> None:
    """The best section comes first, with its name, its place, and the line that speaks of it."""
    best = ask(library(), "what is the magic of a zip file").citations[0]
    expected = ("zipfile.is_zipfile", "z.py:1", 2, "Tells a zip by its magic.")
    assert expected == (best.title, best.where, best.line, best.text)


def test_an_answer_is_put_together_from_its_citations() -> None:
    """Each line is followed by the number of its citation, best first."""
    answer = ask(library(), "parse json")
    assert "json.loads: The text is json. [1]" == answer.text


def test_what_nobody_has_read_is_said_to_be_so() -> None:
    """Neither unknown words nor a hall that there is not are an error."""
    world = library()
    answers = [ask(world, "elephants"), ask(world, "json", hall="99")]
    assert ["Nobody here has read of that."] * 2 == [each.text for each in answers]


def test_a_section_placed_twice_is_told_of_once() -> None:
    """A loader may repeat itself: routers know each reader once, and no turn has gone wrong."""
    world = library()
    before = world.state("router/1-00")
    world.send(*swarm.placement(0, SECTIONS))
    world.advance(5)
    after = world.state("router/1-00")
    assert (before.who, before.words, []) == (after.who, after.words, world.dead_letters())


def test_halls_answer_by_themselves() -> None:
    """Each hall has every section; its readers are its own."""
    world = library(halls=2)
    assert ask(world, "json").citations == ask(world, "json", "2").citations
    assert ["reader/2-0000"] == [world.state("router/2-00").who[0]]


def test_an_answer_outlives_crashes_of_every_machine() -> None:
    """A question that is under way when machines lose their power is answered as if nothing had been."""
    world = library(machines=3)
    expected = ask(world, "parse json")
    client = world.client("visitor")
    number = client.send("critic/you", Ask("parse json"))
    for machine in range(3):
        for _ in range(15):
            world.step()
        world.crash(machine)
    world.advance(swarm.ROUTER_S)
    assert (1, expected) == (number, world.state("critic/you").last)
    assert [] == world.dead_letters()


def silent_for(world: World, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let routers of the lower kind be slow the first time they are asked."""
    prompt, slow = world.kinds["router"].handlers[Seek], iter([seconds])

    async def seek(self: Router, turn: Turn, seek: Seek) -> Any:
        if wait := next(slow, 0.0):
            await turn.sleep(wait)
        return await prompt(self, turn, seek)

    monkeypatch.setitem(world.kinds["router"].handlers, Seek, seek)


def test_who_is_silent_is_left_out_and_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer comes at the deadline with what there is; a reminder completes it later."""
    world = library()
    silent_for(world, monkeypatch, swarm.ROUTER_S + 1)
    answer = ask(world, "parse json")
    assert (1, 1, []) == (answer.asked, answer.silent, answer.citations)
    world.advance(swarm.AGAIN_S + 2 * swarm.ROUTER_S)
    recalled = world.ask("critic/me", Recall())
    assert (0, "json.loads") == (recalled.silent, recalled.citations[0].title)


def test_a_reader_who_moves_to_another_section_is_known_for_that() -> None:
    """Another text under the same address replaces what was read."""
    world = library()
    world.send("reader/1-0000", Place("wave.open", "wave.py:1", "Opens sounds.", "function", "router/1-00"))
    world.advance(5)
    assert "wave.open" == ask(world, "sounds").citations[0].title


def test_a_model_that_is_lent_writes_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked once with the citations, over the wire."""
    asked: list[dict[str, Any]] = []
    with _model(asked) as url:
        monkeypatch.setenv("LIBRARY_MODEL_URL", url)
        answer = ask(library(), "parse json")
    assert ("By json.loads [1].", 1) == (answer.text, len(asked))
    assert "[1] json.loads: The text is json." in asked[0]["messages"][0]["content"]


def test_the_librarian_remembers_how_far_it_is() -> None:
    """The number only grows, also through a crash."""
    world = World(AGENTS)
    for readers in (10, 30, 20):
        world.send("librarian/main", Placed(readers, 4))
    world.crash(0)
    assert (30, 4) == world.ask("librarian/main", HowFar())


def test_most_questions_find_their_section() -> None:
    """Of every fourth written question, five in six have a right section among the first five."""
    world = library(gather())
    wanted = [(q, title) for q, title in WRITTEN.items() if title][::4]
    found = [
        any(each.title.startswith(title) for each in world.ask("critic/me", Ask(q, k=5)).citations)
        for q, title in wanted
    ]
    assert sum(found) >= len(found) * 5 / 6


class _model:  # noqa: N801 - used as a function
    """A language model's server that always says the same, and notes what it is asked."""

    def __init__(self, asked: list[dict[str, Any]]) -> None:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                body = json.dumps({"choices": [{"message": {"content": "By json.loads [1]."}}]}).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> str:
        self._thread.start()
        return f"http://127.0.0.1:{self._server.server_port}/v1/chat/completions"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
