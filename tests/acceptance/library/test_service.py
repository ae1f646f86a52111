"""What the running example answers, to good questions and to bad ones."""

import http.client
import json
import re
import time
from contextlib import closing
from itertools import pairwise
from typing import Any

import pytest
from websockets.sync.client import connect


def test_a_question_is_answered_with_places(server: Any) -> None:
    """The answer has the question, places, time taken and release."""
    status, answer = server.request("/ask?q=zip&k=3")
    assert (200, "zip", 3) == (status, answer["question"], len(answer["answers"]))
    assert "builtins.zip" == answer["answers"][0]["title"]
    assert {"title", "module", "score", "extract", "where"} == set(answer["answers"][0])
    assert {"question", "answers", "took_ms", "release", "banner"} == set(answer)


@pytest.mark.parametrize(
    "query", ["", "q=", "q=%20", "q=%ff", "q=zip&k=0", "q=zip&k=51", "q=zip&k=nan", "q=" + "x" * 301]
)
def test_a_bad_question_is_refused_with_what_is_expected(server: Any, query: str) -> None:
    """400 as JSON, whatever is wrong."""
    status, answer = server.request(f"/ask?{query}")
    assert (400, {"error", "expected"}) == (status, set(answer))


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/notes/none", 404),
        ("DELETE", "/ask?q=zip", 405),
        ("GET", "/notes", 405),
        ("POST", "/notes", 400),
        ("GET", "/stream", 400),
        ("GET", "/stream?q=zip&seconds=1e9", 400),
    ],
)
def test_what_is_not_there_is_refused(server: Any, method: str, path: str, status: int) -> None:
    """Wrong places, methods and bodies get their own status and a word on what is there."""
    got, answer = server.request(path, method)
    assert (status, {"error", "expected"}) == (got, set(answer))


def test_a_body_without_end_is_refused(server: Any) -> None:
    """More than 64 KiB is not read into memory."""
    assert 413 == server.request("/notes", "POST", b" " * 70_000)[0]


def test_a_note_sent_twice_is_stored_once(server: Any) -> None:
    """A retry with its Idempotency-Key changes nothing."""
    body = json.dumps({"text": "milk"}).encode()
    first = server.request("/notes", "POST", body, Idempotency_Key="a")
    second = server.request("/notes", "POST", body, Idempotency_Key="a")
    assert ((201, True), (200, False)) == ((first[0], first[1]["is_new"]), (second[0], second[1]["is_new"]))
    assert "milk" == server.request(f"/notes/{first[1]['id']}")[1]["text"]


def test_the_page_stands_alone(server: Any) -> None:
    """The page asks for nothing from elsewhere and shows greeting and release."""
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)) as connection:
        connection.request("GET", "/")
        page = connection.getresponse().read().decode()
    assert "Ask the library" in page
    assert ([], []) == (re.findall(r"{{", page), re.findall(r"(?:src|href|url\()=?[^>]*//", page))


def test_a_stream_takes_its_time(server: Any) -> None:
    """Answers come one by one over the seconds asked for, and the end says so."""
    started = time.monotonic()
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)) as connection:
        connection.request("GET", "/stream?q=open+a+file&seconds=1&k=4")
        reply = connection.getresponse()
        at = [time.monotonic() - started for line in reply if line == b"event: answer\n"]
    gaps = [later - earlier for earlier, later in pairwise(at)]
    assert (4, "text/event-stream") == (len(at), reply.headers["content-type"])
    assert 0.1 < min(gaps)
    assert 0.9 < at[-1]


def test_a_websocket_answers_each_message(server: Any) -> None:
    """Questions on one socket are answered in turn; a bad one does not end it."""
    with connect(f"ws://127.0.0.1:{server.port}/ws") as talk:
        replies = []
        for asked in ("zip", "", b"\x00", "how do I parse json"):
            talk.send(asked)
            replies.append(json.loads(talk.recv(timeout=10)))
    assert ["builtins.zip", "json.loads"] == [replies[n]["answers"][0]["title"] for n in (0, 3)]
    assert [{"error", "expected"}] * 2 == [set(replies[n]) for n in (1, 2)]
