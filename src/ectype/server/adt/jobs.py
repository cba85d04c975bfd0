"""Import jobs, and jobs that delete everything. The latter at the path of the specification and at that of a client."""

import secrets

from ectype.model.schema import JSON
from ectype.server.adt.bodies import read_object
from ectype.server.adt.call import Answer, Call
from ectype.server.adt.errors import AdtError
from ectype.server.adt.paging import after, listing, page_size


async def list_imports(call: Call) -> Answer:
    """GET /jobs/imports."""
    page = call.view.jobs("import", after(call), page_size(call))
    return listing(call, list(page.items), page.after)


async def get_import(call: Call) -> Answer:
    """GET /jobs/imports/{id}."""
    return Answer.of(call.view.job("import", call.names[0]))


async def add_import(call: Call) -> Answer:
    """PUT /jobs/imports/{id}: 201, and it runs as soon as it is its turn."""
    body = read_object(call.body, '{"inputBlobUri": "…", "outputBlobUri": "…"}')
    more: dict[str, JSON] = {}
    for name in ("inputBlobUri", "outputBlobUri"):
        value = body.get(name)
        if not isinstance(value, str) or not value:
            raise AdtError(400, "ValidationFailed", f'an import job needs "{name}": a file of the space')
        more[name] = value
    return Answer.of(await call.view.add_job("import", call.names[0], more), 201)


async def cancel_import(call: Call) -> Answer:
    """POST /jobs/imports/{id}/cancel."""
    return Answer.of(await call.view.cancel_job(call.names[0]))


async def delete_import(call: Call) -> Answer:
    """DELETE /jobs/imports/{id}: forget one that is over."""
    await call.view.delete_job(call.names[0])
    return Answer.nothing()


async def list_deletions(call: Call) -> Answer:
    """GET /jobs/deletions."""
    page = call.view.jobs("delete", after(call), page_size(call))
    return listing(call, list(page.items), page.after)


async def get_deletion(call: Call) -> Answer:
    """GET /jobs/deletions/{id}."""
    return Answer.of(call.view.job("delete", call.names[0]))


async def add_deletion(call: Call) -> Answer:
    """POST /jobs/deletions: 202, and where to ask how it goes."""
    job_id = call.header("operation-id") or secrets.token_hex(16)
    job = await call.view.add_job("delete", job_id, {})
    where = f"{call.base}{call.path}/{job_id}?api-version={call.version}"
    return Answer.of(job, 202, operation_location=where)
