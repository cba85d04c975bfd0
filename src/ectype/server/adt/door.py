"""From a path to an operation: the part of the application that speaks Azure Digital Twins.

It takes the paths that begin with one of the API's five words and leaves all others alone. A path is taken apart by
hand, once: this is the hot way of the server.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import final

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from ectype.errors import Conflict, Refused
from ectype.server.adt import components, event_routes, jobs, models, openapi, query, relationships, telemetry, twins
from ectype.server.adt.call import Answer, Call
from ectype.server.adt.errors import AdtError, Codes, tell
from ectype.server.auth import Credentials, Views, credentials_of, open_view, view_for
from ectype.server.errors import TooLarge

VERSIONS = ("2020-10-31", "2022-05-31", "2023-06-30", "2023-10-31")
WORDS = frozenset({"models", "digitaltwins", "query", "eventroutes", "jobs"})
_PLAIN = {f"api-version={version}".encode(): version for version in VERSIONS}
_NO_CODES = Codes()
_SMALL, _LARGE = 1 << 16, 1 << 20

Handler = Callable[[Call], Awaitable[Answer]]


@final
@dataclass(frozen=True, slots=True)
class Operation:
    """One operation. since: the first api-version that has it; most: bytes that its body may have."""

    handler: Handler
    codes: Codes = field(default_factory=Codes)
    since: str = VERSIONS[0]
    most: int = _SMALL


_TWIN = Codes("ValidationFailed", "DigitalTwinNotFound")
_EDGE = Codes("ValidationFailed", "DigitalTwinNotFound", (409, "RelationshipAlreadyExists"))
_MODEL = Codes("InvalidArgument", "ModelNotFound", (409, "ModelReferencesNotDeleted"))
_ROUTE = Codes("InvalidArgument", "EventRouteNotFound")
_IMPORT = Codes("ValidationFailed", "ImportJobNotFound", (409, "ImportJobAlreadyExists"))
_DELETION = Codes("ValidationFailed", "DeleteJobNotFound", (409, "DeleteJobAlreadyExists"))

OPERATIONS: dict[str, dict[str, Operation]] = {
    "/models": {
        "GET": Operation(models.list_all, _MODEL),
        "POST": Operation(models.add, Codes("DTDLParserError", "ModelNotFound"), most=_LARGE),
    },
    "/models/{id}": {
        "GET": Operation(models.get, _MODEL),
        "PATCH": Operation(models.update, Codes("JsonPatchInvalid", "ModelNotFound")),
        "DELETE": Operation(models.delete, _MODEL),
    },
    "/query": {"POST": Operation(query.run, Codes("SqlQueryError"))},
    "/digitaltwins/{id}": {
        "GET": Operation(twins.get, _TWIN),
        "PUT": Operation(twins.put, _TWIN),
        "PATCH": Operation(twins.patch, _TWIN),
        "DELETE": Operation(
            twins.delete, Codes("ValidationFailed", "DigitalTwinNotFound", (400, "RelationshipsNotDeleted"))
        ),
    },
    "/digitaltwins/{id}/relationships": {"GET": Operation(relationships.list_outgoing, _TWIN)},
    "/digitaltwins/{id}/incomingrelationships": {"GET": Operation(relationships.list_incoming, _TWIN)},
    "/digitaltwins/{id}/relationships/{relationshipId}": {
        "GET": Operation(relationships.get, _EDGE),
        "PUT": Operation(relationships.put, _EDGE),
        "PATCH": Operation(relationships.patch, _EDGE),
        "DELETE": Operation(relationships.delete, _EDGE),
    },
    "/digitaltwins/{id}/telemetry": {"POST": Operation(telemetry.send, _TWIN)},
    "/digitaltwins/{id}/components/{componentPath}": {
        "GET": Operation(components.get, _TWIN),
        "PATCH": Operation(components.patch, _TWIN),
    },
    "/digitaltwins/{id}/components/{componentPath}/telemetry": {"POST": Operation(telemetry.send, _TWIN)},
    "/eventroutes": {"GET": Operation(event_routes.list_all, _ROUTE)},
    "/eventroutes/{id}": {
        "GET": Operation(event_routes.get, _ROUTE),
        "PUT": Operation(event_routes.put, _ROUTE),
        "DELETE": Operation(event_routes.delete, _ROUTE),
    },
    "/jobs/imports": {"GET": Operation(jobs.list_imports, _IMPORT, VERSIONS[2])},
    "/jobs/imports/{id}": {
        "GET": Operation(jobs.get_import, _IMPORT, VERSIONS[2]),
        "PUT": Operation(jobs.add_import, _IMPORT, VERSIONS[2]),
        "DELETE": Operation(jobs.delete_import, _IMPORT, VERSIONS[2]),
    },
    "/jobs/imports/{id}/cancel": {"POST": Operation(jobs.cancel_import, _IMPORT, VERSIONS[2])},
    "/jobs/deletions": {
        "GET": Operation(jobs.list_deletions, _DELETION, VERSIONS[3]),
        "POST": Operation(jobs.add_deletion, _DELETION, VERSIONS[3]),
    },
    "/jobs/deletions/{id}": {"GET": Operation(jobs.get_deletion, _DELETION, VERSIONS[3])},
}


def take_apart(path: str) -> tuple[str, tuple[str, ...]]:
    """The template that a path follows, and its ids; the template is "" if it follows none."""
    match path.split("/")[1:]:
        case ["digitaltwins", twin] if twin:
            return "/digitaltwins/{id}", (twin,)
        case ["digitaltwins", twin, "relationships" | "incomingrelationships" | "telemetry" as what] if twin:
            return f"/digitaltwins/{{id}}/{what}", (twin,)
        case ["digitaltwins", twin, "relationships", edge] if twin and edge:
            return "/digitaltwins/{id}/relationships/{relationshipId}", (twin, edge)
        case ["digitaltwins", twin, "components", part] if twin and part:
            return "/digitaltwins/{id}/components/{componentPath}", (twin, part)
        case ["digitaltwins", twin, "components", part, "telemetry"] if twin and part:
            return "/digitaltwins/{id}/components/{componentPath}/telemetry", (twin, part)
        case ["models" | "eventroutes" | "query" as what]:
            return f"/{what}", ()
        case ["models" | "eventroutes" as what, name] if name:
            return f"/{what}/{{id}}", (name,)
        case ["jobs", "imports" | "deletions" | "delete" as what]:
            return f"/jobs/{_kind(what)}", ()
        case ["jobs", "imports" | "deletions" | "delete" as what, name] if name:
            return f"/jobs/{_kind(what)}/{{id}}", (name,)
        case ["jobs", "imports", name, "cancel"] if name:
            return "/jobs/imports/{id}/cancel", (name,)
        case _:
            return "", ()


def _kind(word: str) -> str:
    return "deletions" if word == "delete" else word


@final
class Door:
    """ASGI: answers the API's paths itself, hands all others on to `app`."""

    def __init__(self, app: ASGIApp, views: Views) -> None:
        self._app = app
        self._views = views

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let pass."""
        if scope["type"] == "http" and scope["path"][1:].partition("/")[0] in WORDS:
            await self.handle(scope, receive, send)
        elif scope["type"] == "http" and scope["path"] == "/openapi.json":
            try:
                await self._describe(scope, send)
            except Refused as error:
                told = tell(error, _NO_CODES)
                await _send(send, Answer(told.status, told.body, told.headers), head=False)
        else:
            await self._app(scope, receive, send)

    async def _describe(self, scope: Scope, send: Send) -> None:
        call = Call(
            open_view(self._views, credentials_of(HTTPConnection(scope))).graph, "", (), "", dict(scope["headers"])
        )
        call.scheme = scope["scheme"]
        await _send(send, openapi.answer(call, OPERATIONS, VERSIONS), head=scope["method"] == "HEAD")

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever comes."""
        template, names = take_apart(scope["path"])
        method: str = scope["method"]
        operation = OPERATIONS.get(template, {}).get("GET" if method == "HEAD" else method)
        codes = _NO_CODES if operation is None else operation.codes
        call: Call | None = None
        try:
            if operation is None:
                raise _no_operation(template, method, scope["path"])
            headers = dict(scope["headers"])
            if b"authorization" in headers or b"cookie" in headers:
                view = view_for(HTTPConnection(scope), self._views)
            else:
                view = open_view(self._views, Credentials(None, None))
            call = Call(view.graph, scope["path"], names, "", headers)
            call.raw_query, call.scheme = scope["query_string"], scope["scheme"]
            call.version = _PLAIN.get(call.raw_query) or _version(call)
            if call.version < operation.since:
                raise AdtError(
                    404, "NotFound", f"api-version {call.version} does not have this; use {operation.since} or later"
                )
            if method not in ("GET", "HEAD"):
                call.body = await _body(receive, operation.most)
            answer = await operation.handler(call)
        except Exception as error:  # noqa: BLE001 - the edge: everything is told to the caller and logged
            if template == "/models" and call is not None and type(error) is Conflict:
                error = models.codes_of_conflict(call, error)
            told = tell(error, codes)
            answer = Answer(told.status, told.body, told.headers)
        await _send(send, answer, head=method == "HEAD")


def _no_operation(template: str, method: str, path: str) -> AdtError:
    if template in OPERATIONS:
        takes = ", ".join(OPERATIONS[template])
        return AdtError(405, "MethodNotAllowed", f"{template} takes {takes}, not {method[:20]}")
    return AdtError(404, "NotFound", f"there is nothing at {path[:200]}")


def _version(call: Call) -> str:
    version = call.query("api-version")
    if version is None:
        raise AdtError(400, "MissingApiVersionParameter", "add api-version=2023-10-31 to the query of the URL")
    if version not in VERSIONS:
        raise AdtError(
            400, "UnsupportedApiVersion", f"there is no api-version {version[:40]!r}; there is {', '.join(VERSIONS)}"
        )
    return version


async def _body(receive: Receive, most: int) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body"):
        if len(body) > most:
            break
        message = await receive()
        body += message.get("body", b"")
    if len(body) > most:
        raise TooLarge(f"a body may have {most} bytes here; this one has more")
    return body


async def _send(send: Send, answer: Answer, *, head: bool) -> None:
    headers = [(name.encode(), value.encode("latin-1", "replace")) for name, value in answer.headers.items()]
    headers.append((b"cache-control", b"no-store"))
    if answer.status != 204:
        headers.append((b"content-length", b"%d" % len(answer.body)))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else answer.body})
