"""The fake platform's dialog part: methods 1 to 13, played strictly."""

import re
from functools import partial
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from vertexkit.clock import Clock
from vertexkit.testing.platform.auth import CHALLENGE, Door
from vertexkit.testing.platform.body import read_object
from vertexkit.testing.platform.conversation import (
    COMPLETED,
    OPERATOR,
    Conversation,
    OperatorMessage,
)
from vertexkit.testing.platform.conversations import Archive
from vertexkit.testing.platform.faults import Fault, Faults
from vertexkit.testing.platform.files import FakeFile
from vertexkit.testing.platform.ledger import Exchange
from vertexkit.testing.platform.methods import ROWS, Asked, Row, read
from vertexkit.testing.platform.query import LARGEST_PAGE, PAGE_SIZE, filter_of
from vertexkit.testing.platform.responses import refusal, spoil, while_caller_stays

HOST = re.compile(r"[\w.:\[\]-]+", re.ASCII)
CHANGES = {"stop", "start", "send", "goto"}
"""What a completed dialog refuses."""


Thing = Conversation | FakeFile | int | None


class DialogPart:
    """Answers methods 1 to 13, and notes what is wrong with how they came.

    Args:
        archive: the dialogs and files.
        faults: what goes wrong on purpose.
        clock: waits.
        door: who may ask.
    """

    def __init__(self, archive: Archive, faults: Faults, clock: Clock, door: Door) -> None:
        self._archive = archive
        self._faults = faults
        self._clock = clock
        self._door = door
        self._deeds = {
            "conversations": self._list,
            "conversation": self._show,
            "create": self._create,
            "create_and_start": self._create_and_start,
            "download": self._download,
            "stop": self._stop,
            "start": self._start,
            "send": self._send,
            "goto": self._goto,
        }

    def routes(self) -> list[Route]:
        """The routes, under the platform's base path."""
        routes = [
            Route(row.path, partial(self._answer, row), methods=[row.verb], name=row.name)
            for row in ROWS
        ]
        for route, row in zip(routes, ROWS, strict=True):
            route.methods = {row.verb}  # the document has no HEAD, which Starlette adds to GET
        return routes

    async def _answer(self, row: Row, request: Request) -> Response:
        exchange: Exchange = request.scope["exchange"]
        exchange.note(method=row.name)
        denied = self._door.refused(request.headers.get("authorization"))
        if denied is not None:
            sentence, blamed = denied
            if blamed:
                exchange.violate(f"{row.name}: {sentence}")
            exchange.announce()
            answer = refusal(401, sentence)
            answer.headers.update(CHALLENGE)
            return answer
        asked, wrongs = read(row, request, exchange.entry.body)
        for wrong in wrongs:
            exchange.violate(wrong)
        exchange.announce()
        if wrongs:
            return refusal(row.wrong, "; ".join(wrongs))
        thing, missing = self._find(asked)
        if missing is not None:
            return refusal(404, f"{row.name}: {missing}")
        return await self._serve(exchange, asked, thing)

    def _find(self, asked: Asked) -> tuple[Thing, str | None]:
        """What the request is about, or what there is not."""
        key, about = asked.key, asked.row.about
        if key is None:
            return None, None
        thing: Thing
        if about == "dialog":
            thing = self._archive.find(key, keep=asked.row.verb == "POST")
        elif isinstance(key, UUID):
            thing = None
        elif about == "file":
            thing = self._archive.file(key)
        else:
            thing = key if key in self._archive.bots else None
        missing = f"there is no {about} {key}" if thing is None else None
        if asked.row.deed == "goto" and missing is None and asked.aim not in self._archive.bots:
            missing = f"there is no bot {asked.aim}"
        return thing, missing

    async def _serve(self, exchange: Exchange, asked: Asked, thing: Thing) -> Response:
        fault = self._faults.take(asked.row.name)
        if fault is not None:
            exchange.promised = False
            exchange.note(fault=str(fault))
        refused = self._refused(asked, thing, fault)
        if refused is not None:
            answer: Response = refusal(403, f"{asked.row.name}: {refused}")
        elif fault is None or fault.processed:
            exchange.note(processed=True)
            answer = self._deeds[asked.row.deed](asked, thing)
        else:
            answer = Response()
        if fault is None:
            return answer
        if fault.seconds > 0:
            wait = self._clock.sleep(fault.seconds)
            exchange.left = not await while_caller_stays(asked.request, wait)
        return spoil(exchange, answer, fault)

    def _refused(self, asked: Asked, thing: Thing, fault: Fault | None) -> str | None:
        gone = fault is not None and fault.kind == "gone"
        if not isinstance(thing, Conversation):
            return "the instance cannot be reached" if gone else None
        if gone:
            self._archive[thing.id].deleted = True
        if gone or thing.deleted:
            return "the dialog is deleted"
        if asked.row.deed in CHANGES and thing.status == COMPLETED:
            return "the dialog is completed"
        return None

    def _list(self, asked: Asked, _: Thing) -> Response:
        number = asked.query.get("PageNumber", 1)
        size = min(LARGEST_PAGE, asked.query.get("PageCount", PAGE_SIZE))
        found, total = self._archive.page(filter_of(asked.query), number, size)
        now = self._archive.now()
        shown: dict[str, Any] = {
            str(place): each.shown(asked.row.version, now) for place, each in enumerate(found)
        }
        shown["meta"] = {
            "pagination": {
                "total": total,
                "count": len(found),
                "per_page": size,
                "current_page": number,
                "total_pages": max(1, -(-total // size)),
                "links": {},
            }
        }
        return JSONResponse(shown)

    def _show(self, asked: Asked, thing: Thing) -> Response:
        assert isinstance(thing, Conversation)
        host = asked.request.headers.get("host", "")
        home = (
            f"{asked.request.scope.get('scheme', 'http')}://{host}/"
            if HOST.fullmatch(host)
            else "/"
        )
        return JSONResponse(thing.detailed(asked.row.version, self._archive.now(), home))

    def _create(self, asked: Asked, thing: Thing) -> Response:
        created = self._new(asked, thing, started=False)
        return JSONResponse({"dialogId": str(created.uuid)})

    def _create_and_start(self, asked: Asked, thing: Thing) -> Response:
        created = self._new(asked, thing, started=True)
        # The document's example says it in both places; the body has the last word.
        if not asked.content.get("response", asked.query.get("response", False)):
            return Response()
        return JSONResponse({"dialogId": created.id, "dialogUUID": str(created.uuid)})

    def _new(self, asked: Asked, thing: Thing, *, started: bool) -> Conversation:
        assert isinstance(thing, int)
        variables = dict(asked.query.get("variables", {}))
        if "variables" in asked.content:
            variables |= read_object(asked.content["variables"].encode())[0] or {}
        spoken = self._archive.now() if started else None
        return self._archive.add(
            thing, variables=variables, started=started, spoken=spoken, source="api"
        )

    def _download(self, _: Asked, thing: Thing) -> Response:
        assert isinstance(thing, FakeFile)
        headers = {"Content-Disposition": thing.disposition, "Content-Type": thing.media_type}
        return Response(thing.content, headers=headers)

    def _stop(self, _: Asked, thing: Thing) -> Response:
        assert isinstance(thing, Conversation)
        thing.marked = OPERATOR
        return Response(status_code=204)

    def _start(self, _: Asked, thing: Thing) -> Response:
        assert isinstance(thing, Conversation)
        thing.go_on()
        thing.spoken = self._archive.now()
        return Response(status_code=204)

    def _send(self, asked: Asked, thing: Thing) -> Response:
        assert isinstance(thing, Conversation)
        now = self._archive.now()
        thing.operator_messages.append(OperatorMessage(asked.content["body"], now))
        thing.spoken = now
        return Response(status_code=204)

    def _goto(self, asked: Asked, thing: Thing) -> Response:
        assert isinstance(thing, Conversation)
        thing.bot_id = asked.aim
        thing.go_on()
        thing.spoken = self._archive.now()
        return JSONResponse({"message": "Goto command complete"})
