"""A platform with the quirks of live ones, written without the client and without the fake.

It shares no code with either, so that it shares none of their mistakes. It answers methods 1, 2, 4,
5, 6, 8 and 13 from a list of raw dialogs; a test changes the list, the pages and the answers.
"""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

Raw = dict[str, Any]
Hook = Callable[[int], Awaitable[None]]
HTML = b"<!doctype html><html><body><h1>502 Bad Gateway</h1></body></html>"


def raw_dialog(number: int, **members: Any) -> Raw:
    """A dialog as the document's examples show it; the number is also in its UUID."""
    return {
        "id": str(UUID(int=number)),
        "name": f"#{number} Perm",
        "status": "completed",
        "ip": "203.0.113.5",
        "location": "Perm",
        "updated": f"2023-05-{number % 28 + 1:02}T08:25:26+00:00",
        "duration": 13,
        "source": "web",
    } | members


def raw_answer(question: Any, answer: Any, **members: Any) -> Raw:
    """An answer of the collected data."""
    return {"question": question, "type": "Text", "answer": answer, "variable": None} | members


@dataclass
class RawFile:
    """A file, and how its download misbehaves."""

    content: bytes = b"content"
    disposition: bytes = b'attachment; filename="a.txt"'
    etag: str | None = None
    cuts: list[int] = field(default_factory=list)
    """How many bytes are sent before the connection breaks: one number for each download."""
    takes_ranges: bool = True
    media_type: str = "text/plain"
    next_version: "RawFile | None" = None
    """What the file is from the second request on."""


class QuirkyServer:
    """An ASGI app.

    Attributes:
        dialogs: the list, in its order.
        data: the collected data of a dialog, by id; any JSON, or bytes for the whole response.
        files: the files, by number.
        page_limit: the largest page, whatever was asked for.
        per_page: what the pagination says instead of the real size.
        wrong: members of the pagination that replace the right ones.
        empty_pages: pages that are empty, as often as their number says.
        other_pages: pages in whose place another one is returned.
        page_answers: responses for a page instead of it, in order: a status or bytes.
        answers: the same for a dialog, by id.
        before_page: called before a page is made; may change `dialogs`, or wait.
        after_page: called after a page is made, before it is sent.
        requested: the pages that were asked for, in order.
        shown: the ids that were asked for, in order.
        downloads: the header `Range` of each download.
        in_flight, most_in_flight: downloads at the same time.
        hold_downloads: how many downloads must be there at once before any is answered.
    """

    def __init__(self, dialogs: list[Raw] | None = None) -> None:
        self.dialogs: list[Raw] = dialogs if dialogs is not None else []
        self.data: dict[str, Any] = {}
        self.files: dict[int, RawFile] = {}
        self.page_limit = 1000
        self.per_page: Any = None
        self.wrong: Raw = {}
        self.empty_pages: dict[int, int] = {}
        self.other_pages: dict[int, int] = {}
        self.page_answers: dict[int, list[int | bytes]] = {}
        self.answers: dict[str, list[int | bytes]] = {}
        self.before_page: Hook | None = None
        self.after_page: Hook | None = None
        self.requested: list[int] = []
        self.queries: list[dict[str, str]] = []
        self.shown: list[str] = []
        self.downloads: list[str | None] = []
        self.in_flight = self.most_in_flight = 0
        self.create_answer: bytes = b""
        self.hold_downloads = 0
        self._are_there = asyncio.Event()
        self._app = Starlette(
            routes=[
                Route("/api/{version}/conversations", self._list),
                Route("/api/{version}/conversation/{key}", self._show),
                Route("/api/{version}/dialog/{bot}/create", self._create, methods=["GET", "POST"]),
                Route("/api/{version}/file/{number:int}", self._download),
            ]
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        with suppress(ConnectionResetError):
            await self._app(scope, receive, send)

    def grow(self, **members: Any) -> None:
        """Begin a dialog at the front of the list."""
        newest = max((UUID(dialog["id"]).int for dialog in self.dialogs), default=0)
        self.dialogs.insert(0, raw_dialog(newest + 1, **members))

    def bump(self, index: int) -> None:
        """Move a dialog to the front, as a list ordered by update does after a message."""
        self.dialogs.insert(0, self.dialogs.pop(index))

    async def _list(self, request: Request) -> Response:
        number = int(request.query_params.get("PageNumber", "1"))
        asked = int(request.query_params.get("PageCount", "40"))
        self.requested.append(number)
        self.queries.append(dict(request.query_params))
        if self.before_page is not None:
            await self.before_page(number)
        if self.page_answers.get(number):
            return _odd_response(self.page_answers[number].pop(0))
        response = Response(self._page(number, min(asked, self.page_limit)))
        response.headers["content-type"] = "application/json"
        if self.after_page is not None:
            await self.after_page(number)
        return response

    def _page(self, number: int, size: int) -> str:
        shown = self.other_pages.get(number, number)
        items = self.dialogs[(shown - 1) * size : shown * size]
        if self.empty_pages.get(number, 0) > 0:
            self.empty_pages[number] -= 1
            items = []
        pagination: Raw = {
            "total": len(self.dialogs),
            "count": len(items),
            "per_page": size if self.per_page is None else self.per_page,
            "current_page": shown,
            "total_pages": -(-len(self.dialogs) // size),
            "links": {},
        }
        known = {name: value for name, value in self.wrong.items() if value is not None}
        dropped = {name for name, value in self.wrong.items() if value is None}
        pagination = {n: v for n, v in (pagination | known).items() if n not in dropped}
        content = {str(position): item for position, item in enumerate(items)}
        return json.dumps(content | {"meta": {"pagination": pagination}})

    async def _show(self, request: Request) -> Response:
        key = request.path_params["key"]
        self.shown.append(key)
        if self.answers.get(key):
            return _odd_response(self.answers[key].pop(0))
        found = next((dialog for dialog in self.dialogs if str(dialog["id"]) == key), None)
        if found is None:
            return Response(status_code=404)
        data = self.data.get(key, "[]")
        body = data if isinstance(data, bytes) else json.dumps(found | {"data": data}).encode()
        return Response(body, media_type="application/json")

    async def _create(self, _: Request) -> Response:
        return Response(self.create_answer)

    async def _download(self, request: Request) -> Response:
        file = self.files.get(request.path_params["number"])
        asked = request.headers.get("range")
        self.downloads.append(asked)
        if file is None:
            return Response(status_code=404)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if self.in_flight >= self.hold_downloads:
                self._are_there.set()
            await self._are_there.wait()
        finally:
            self.in_flight -= 1
        if file.next_version is not None:
            self.files[request.path_params["number"]] = file.next_version
        return self._file_response(file, asked, request.headers.get("if-range"))

    def _file_response(self, file: RawFile, asked: str | None, if_range: str | None) -> Response:
        start = 0
        found = re.fullmatch(r"bytes=(\d+)-", asked or "")
        if found and file.takes_ranges and (if_range is None or if_range == file.etag):
            start = int(found[1])
        content = file.content[start:]
        headers = [(b"content-length", str(len(content)).encode())]
        if file.disposition:
            headers.append((b"content-disposition", file.disposition))
        if file.etag is not None:
            headers.append((b"etag", file.etag.encode()))
        if start:
            total = len(file.content)
            headers.append((b"content-range", f"bytes {start}-{total - 1}/{total}".encode()))
        cut = file.cuts.pop(0) if file.cuts else None

        async def body() -> Any:
            yield content if cut is None else content[:cut]
            if cut is not None:
                raise ConnectionResetError

        response = StreamingResponse(body(), 206 if start else 200)
        response.raw_headers = [(b"content-type", file.media_type.encode()), *headers]
        return response


def _odd_response(answer: int | bytes) -> Response:
    if isinstance(answer, int):
        return Response(HTML, answer, media_type="text/html")
    kind = "text/html" if answer.startswith(b"<") else "application/json"
    return Response(answer, 200, media_type=kind)
