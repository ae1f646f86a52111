"""The service: `library.search:app`, plain ASGI.

GET /healthz, /ask, /stream, / and /notes/{id}; POST /notes; WebSocket /ws. The index is loaded in the
background from the start on; /healthz answers 200 once it is there.
"""

from __future__ import annotations

import asyncio
import html
import json
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from library.index import Answer
from library.notes import Notes, note_text
from library.settings import Settings
from library.shelf import Shelf
from library.web import Receive, Refused, Reply, Request, Scope, Send, encoded

__all__ = ["Library", "app"]

_QUESTION_CHARS_MAX, _K_MAX, _STREAM_S_MAX = 300, 50, 300
_EXAMPLE = "/ask?q=zip&k=5"
_PAGE = Path(__file__).with_name("page.html")
_EVENTS = {"content-type": "text/event-stream", "cache-control": "no-store", "x-accel-buffering": "no"}

Handler = Callable[[Request], Awaitable[Reply]]


class Library:
    """The ASGI application; everything it holds belongs to one process."""

    def __init__(self) -> None:
        self._shelf: Shelf | None = None
        self._notes = Notes()
        self._pages: dict[str, tuple[str, Handler]] = {
            "/": ("GET", self._home),
            "/healthz": ("GET", self._health),
            "/ask": ("GET", self._ask),
            "/notes": ("POST", self._note),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, or the whole life of the process."""
        match scope["type"]:
            case "lifespan":
                await self._live(receive, send)
            case "websocket":
                await self._talk(receive, send)
            case _:
                await self._serve(Request(scope, receive), send)

    def _begin(self) -> Shelf:
        """The shelf, already loading: a server may leave lifespan out.

        Raises:
            Refused: 503, the environment is not as expected.
        """
        if self._shelf is None:
            try:
                self._shelf = Shelf(Settings.read(os.environ))
            except ValueError as wrong:
                raise Refused(503, str(wrong), "a start with this variable mended") from wrong
        self._shelf.load()
        return self._shelf

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            shelf = self._begin()
        except Refused as wrong:
            await send({"type": "lifespan.startup.failed", "message": wrong.error})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await shelf.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, request: Request, send: Send) -> None:
        try:
            if request.path == "/stream":
                _allow(request, "GET")
                await self._stream(request, send)
                return
            reply = await self._handler(request)(request)
        except Refused as refused:
            reply = refused.reply()
        await reply.send(send)

    def _handler(self, request: Request) -> Handler:
        if request.path.startswith("/notes/"):
            _allow(request, "GET")
            return self._read_note
        if request.path not in self._pages:
            known = ", ".join([*self._pages, "/notes/{id}", "/stream", "/ws (WebSocket)"])
            raise Refused(404, f"nothing is at {request.path[:80]}", known)
        method, handler = self._pages[request.path]
        _allow(request, method)
        return handler

    async def _home(self, _: Request) -> Reply:
        settings = self._begin().settings
        text = _PAGE.read_text(encoding="utf-8")
        for name in ("lang", "banner", "release"):
            text = text.replace("{{" + name + "}}", html.escape(getattr(settings, name)))
        return Reply(200, text.encode(), {"content-type": "text/html; charset=utf-8"})

    async def _health(self, _: Request) -> Reply:
        shelf = self._begin()
        index = shelf.index()
        return Reply.json(
            {
                "status": "ok",
                "release": shelf.settings.release,
                "banner": shelf.settings.banner,
                "pid": os.getpid(),
                "passages": len(index.passages),
                "terms": len(index.terms),
                "loaded_ms": shelf.loaded_ms,
                "from_cache": shelf.from_cache,
            }
        )

    async def _ask(self, request: Request) -> Reply:
        question = request.text("q", _QUESTION_CHARS_MAX, _EXAMPLE)
        k = int(request.number("k", 5, 1, _K_MAX))
        return Reply.json(await self._answer(question, k))

    async def _answer(self, question: str, k: int) -> dict[str, object]:
        shelf = self._begin()
        started = time.perf_counter()
        answers = await shelf.look_up(question, k)
        took_ms = round((time.perf_counter() - started) * 1000, 2)
        settings = shelf.settings
        return {
            "question": question,
            "answers": answers,
            "took_ms": took_ms,
            "release": settings.release,
            "banner": settings.banner,
        }

    async def _stream(self, request: Request, send: Send) -> None:
        """Send the answers as events, spread evenly over the seconds asked for, then `done`."""
        question = request.text("q", _QUESTION_CHARS_MAX, "/stream?q=zip&seconds=20")
        seconds = request.number("seconds", 20, 0, _STREAM_S_MAX)
        k = int(request.number("k", 20, 1, _K_MAX))
        shelf = self._begin()
        answers = await shelf.look_up(question, k)
        await send({"type": "http.response.start", "status": 200, "headers": encoded(_EVENTS)})
        if await _sent_evenly(answers, seconds, request.receive, send):
            summary = {"answers": len(answers), "seconds": seconds, "release": shelf.settings.release}
            await send({"type": "http.response.body", "body": _event("done", summary)})

    async def _note(self, request: Request) -> Reply:
        note, is_new = self._notes.store(note_text(await request.body()), request.header("idempotency-key"))
        kept = {"id": note, "is_new": is_new, "release": self._begin().settings.release}
        return Reply.json(kept, 201 if is_new else 200)

    async def _read_note(self, request: Request) -> Reply:
        note = request.path.removeprefix("/notes/")
        return Reply.json({"id": note, "text": self._notes.read(note)})

    async def _talk(self, receive: Receive, send: Send) -> None:
        """Answer each text message of a WebSocket in turn until it is closed (by the server: 1012)."""
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            try:
                answer = await self._answer(_asked(message.get("text")), 5)
            except Refused as refused:
                answer = {"error": refused.error, "expected": refused.expected}
            try:
                await send({"type": "websocket.send", "text": json.dumps(answer, ensure_ascii=False)})
            except OSError:  # closed meanwhile
                return


def _allow(request: Request, method: str) -> None:
    if request.method not in ({"GET", "HEAD"} if method == "GET" else {method}):
        raise Refused(405, f"{request.method[:20]} is not for {request.path[:80]}", method, allow=method)


def _asked(text: str | None) -> str:
    question = (text or "").strip()
    if not 1 <= len(question) <= _QUESTION_CHARS_MAX:
        expected = f"a question of 1 to {_QUESTION_CHARS_MAX} characters in a text message"
        raise Refused(400, "this is no question", expected)
    return question


async def _sent_evenly(answers: list[Answer], seconds: float, receive: Receive, send: Send) -> bool:
    """Send each answer at its time; false if the caller left before the end."""
    started = time.monotonic()
    left = asyncio.create_task(_left(receive))
    try:
        for n, answer in enumerate(answers, start=1):
            await asyncio.wait({left}, timeout=started + seconds * n / len(answers) - time.monotonic())
            if left.done():
                return False
            await send({"type": "http.response.body", "body": _event("answer", answer), "more_body": True})
    finally:
        left.cancel()
    return True


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _event(name: str, data: object) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


app = Library()
