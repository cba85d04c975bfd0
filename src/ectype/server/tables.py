"""Columns as what was asked for: JSON, an Arrow IPC stream, or CSV."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false

import io
from typing import Literal

import pyarrow as pa
from starlette.requests import Request
from starlette.responses import Response

from ectype.errors import Invalid

Form = Literal["json", "arrow", "csv"]
ARROW = "application/vnd.apache.arrow.stream"
_FORMS: tuple[Form, ...] = ("json", "arrow", "csv")
_AT = pa.timestamp("ns", tz="UTC")


def form_of(request: Request, asked: str | None) -> Form:
    """What `format=` asks for, else what the Accept header does, else JSON."""
    if asked is not None:
        for form in _FORMS:
            if asked == form:
                return form
        raise Invalid(f"format={asked[:40]!r} is none of {', '.join(_FORMS)}")
    accepts = request.headers.get("accept", "")
    return "arrow" if ARROW in accepts else "csv" if "text/csv" in accepts else "json"


def instants(at_ns: object) -> pa.Array:
    """Nanoseconds since 1970 as timestamps."""
    return pa.array(at_ns, pa.int64()).cast(_AT)


def table_response(table: pa.Table, form: Form) -> Response:
    """An Arrow IPC stream or CSV with instants in ISO 8601."""
    headers = {"cache-control": "no-store"}
    if form == "arrow":
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        return Response(sink.getvalue().to_pybytes(), headers=headers, media_type=ARROW)
    from pyarrow import compute, csv  # here: 30 ms that a start does not need

    at = table.column("at")
    for unit in ("s", "ms"):  # no more decimals than the instants need
        coarse = at.cast(pa.timestamp(unit, tz="UTC"), safe=False)
        if coarse.cast(_AT).equals(at):
            at = coarse
            break
    place = table.schema.get_field_index("at")
    text = compute.strftime(at, format="%Y-%m-%dT%H:%M:%SZ")  # pyright: ignore[reportAttributeAccessIssue]
    shown = table.set_column(place, "at", text)
    out = io.BytesIO()
    csv.write_csv(shown, out, csv.WriteOptions(quoting_style="needed"))
    return Response(out.getvalue(), headers=headers, media_type="text/csv; charset=utf-8")
