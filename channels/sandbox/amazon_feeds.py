"""The feeds of Amazon's sandbox: documents behind signed addresses, what a feed does in a while, and its report."""

import gzip
import secrets as randomness
from collections.abc import Callable
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from .amazon_things import Document, Feed, Reported, answer, problem
from .amazon_timer import Timer

QUEUED_MS: Final = 30_000
FEED_MS: Final = 300_000
"""How long a feed usually takes."""

SIGNED_MS: Final = 300_000
MESSAGES_MAX: Final = 25_000

CarryOut = Callable[[list[dict[str, Any]], str], Reported]
Tell = Callable[[str, dict[str, Any]], None]


class Feeds:
    """
    All feeds of a seller; `carry_out` does what the messages of one say in a marketplace. `packs` its reports; one
    takes `feed_ms`.
    """

    def __init__(self, timer: Timer, seller: str, carry_out: CarryOut, tell: Tell) -> None:
        self.all: dict[str, Feed] = {}
        self.documents: dict[str, Document] = {}
        self.packs, self.feed_ms = True, FEED_MS
        self._timer, self._seller, self._carry_out, self._tell = timer, seller, carry_out, tell

    async def new_document(self, request: Request) -> Response:
        """Where a document can be put."""
        document = self._made((await request.json())["contentType"])
        return answer({"feedDocumentId": document.id, "url": self._url(request, document)}, 201)

    def _made(self, content_type: str) -> Document:
        document = Document(f"d-{self._timer.number()}", "", 0, content_type)
        self.documents[document.id] = document
        return document

    def _url(self, request: Request, document: Document) -> str:
        document.signature, document.until_ms = randomness.token_hex(16), self._timer.now_ms() + SIGNED_MS
        return (
            f"{request.url.scheme}://{request.url.netloc}/documents/{document.id}?X-Amz-Signature={document.signature}"
        )

    async def signed(self, request: Request) -> Response:
        """The store behind the addresses, which asks for no token and takes none."""
        document = self.documents.get(request.path_params["id"])
        if document is None or request.query_params.get("X-Amz-Signature") != document.signature:
            return Response("<Error><Code>SignatureDoesNotMatch</Code></Error>", 403, media_type="application/xml")
        if self._timer.now_ms() > document.until_ms or "x-amz-access-token" in request.headers:
            return Response("<Error><Code>AccessDenied</Code></Error>", 403, media_type="application/xml")
        if request.method == "GET":
            return Response(document.body)
        if request.headers.get("content-type") != document.content_type:
            return Response("<Error><Code>SignatureDoesNotMatch</Code></Error>", 403, media_type="application/xml")
        document.body = await request.body()
        return Response()

    async def document(self, request: Request) -> Response:
        """Where a report can be got."""
        document = self.documents.get(request.path_params["id"])
        if document is None:
            return problem(404, "NotFound", "There is no such document")
        said = {"feedDocumentId": document.id, "url": self._url(request, document)}
        return answer({**said, "compressionAlgorithm": "GZIP"} if self.packs else said)

    async def new_feed(self, request: Request) -> Response:
        """A feed of a document that was put."""
        asked = await request.json()
        market = asked["marketplaceIds"][0]
        feed = Feed(
            str(self._timer.number()), asked["feedType"], market, asked["inputFeedDocumentId"], self._timer.now_ms()
        )
        self.all[feed.id] = feed
        self._timer.later(min(QUEUED_MS, self.feed_ms // 2), lambda: setattr(feed, "status", "IN_PROGRESS"))
        self._timer.later(self.feed_ms, lambda: self._process(feed))
        return answer({"feedId": feed.id}, 202)

    def _process(self, feed: Feed) -> None:
        try:
            said = msgspec.json.decode(self.documents[feed.document].body)
            messages = said["messages"] if len(said["messages"]) <= MESSAGES_MAX else None
        except (msgspec.DecodeError, KeyError):
            messages = None
        feed.status = "FATAL" if messages is None else "DONE"
        if messages is not None:
            body = self._carry_out(messages, feed.market).body(said["header"], feed.id)
            report = self._made("")
            report.body, feed.report = gzip.compress(body) if self.packs else body, report.id
        self._tell("FEED_PROCESSING_FINISHED", feed.finished(self._seller))

    async def feed(self, request: Request) -> Response:
        """How far a feed has got."""
        feed = self.all.get(request.path_params["id"])
        return answer(feed.json()) if feed else problem(404, "NotFound", "There is no such feed")
