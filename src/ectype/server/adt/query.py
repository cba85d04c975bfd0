"""POST /query: a query, or the continuation of one. It sees every write that was acknowledged."""

from ectype.errors import Invalid
from ectype.node.graph_view import TooLong
from ectype.server.adt.bodies import read_object
from ectype.server.adt.call import Answer, Call
from ectype.server.adt.errors import AdtError
from ectype.server.adt.paging import page_size


async def run(call: Call) -> Answer:
    """Rows as the specification has them, `query-charge` in a header."""
    body = read_object(call.body, '{"query": "SELECT …"} or {"continuationToken": "…"}')
    text, token = body.get("query"), body.get("continuationToken")
    limit = page_size(call)
    token = token if isinstance(token, str) and token else None
    if token is None and not isinstance(text, str):
        raise AdtError(400, "BadRequest", 'the body needs "query" or "continuationToken", a string')
    try:
        page = await call.view.query(None if token else str(text), token, limit)
    except TooLong as error:
        raise AdtError(400, "TimeoutError", str(error)) from error
    except Invalid as error:
        raise AdtError(400, "BadRequest" if token else "SqlQueryError", str(error)) from error
    found: dict[str, object] = {"value": page.rows}
    if page.next is not None:
        found["continuationToken"] = page.next
    return Answer.of(found, query_charge=f"{page.charge:.2f}")
