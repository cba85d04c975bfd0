"""A node's space, asked from Python: history as data frames.

    import ectype

    space = ectype.open("http://127.0.0.1:8787")
    space.history("turbine-1.power", "2014-03", every="1h")  # a pandas or polars frame, whichever is installed
    space.history(["turbine-1.power", "turbine-2.power"], "2014-03-01", every="10min", how="mean")

Answers travel as Arrow, so numbers and instants arrive as they were, to the nanosecond.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingImports=false, reportUnknownParameterType=false, reportMissingTypeStubs=false

import importlib.util
import json
import re
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Literal, final

import pyarrow as pa

from ectype.errors import EctypeError, Invalid, Misconfigured, NotFound, Refused, Unavailable

Frame = Literal["pandas", "polars", "arrow"]
_PERIOD = re.compile(r"(\d{4})(?:-(\d\d))?(?:-(\d\d))?")
_ERRORS: dict[int, type[EctypeError]] = {400: Invalid, 401: Refused, 403: Refused, 404: NotFound, 413: Invalid}


@final
class Space:
    """A space that a node serves at `url`. token: what the node wants of callers; ca: the certificate of its own
    authority (`ectype serve --tls` says where it is). Raises Misconfigured for what is no address.
    """

    def __init__(
        self, url: str, *, token: str | None = None, ca: str | Path | None = None, timeout_s: float = 60.0
    ) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Misconfigured(f"{url!r} is no address of a node; serve the space and write http://127.0.0.1:8787")
        if ca is not None and not Path(ca).is_file():
            raise Misconfigured(f"ca {ca}: there is no such file; `ectype serve --tls` says where it is")
        self._url = url.rstrip("/")
        self._token = token
        self._timeout_s = timeout_s
        self._tls = ssl.create_default_context(cafile=ca) if parts.scheme == "https" else None

    def history(
        self,
        series: str | Sequence[str],
        when: str | None = None,
        *,
        start: str | None = None,
        stop: str | None = None,
        every: str | None = None,
        how: Literal["last", "mean", "min", "max", "count"] = "last",
        max_age: str | None = None,
        points: int | None = None,
        quality: bool = False,
        only: Literal["good", "usable"] | None = None,
        frame: Frame | None = None,
    ) -> Any:
        """Series over time, as a frame: of pandas if it is installed, else of polars, else a pyarrow Table.

        when: a year, month or day (UTC) like "2014-03"; or start and stop, ISO 8601, both included.
        every: one clock for all ("10min", "1h", "1d"): a column for each series, a row for each tick, with `how`: its
        last value not older than max_age ("1d" if not said), or the mean, min, max or count from tick to tick.
        Without every: a row for each sample with the columns series, at, value, std; points: at most about so many of
        each series, no peak lost; quality: with the columns quality (good, suspect, bad) and why.
        only: nothing but good readings, or usable ones: what is not bad.
        Raises what the node answers: Invalid, NotFound, Refused; Unavailable if it does not.
        """
        names = [series] if isinstance(series, str) else list(series)
        if when is not None:
            if start is not None or stop is not None:
                raise Invalid("say when, or start and stop, not both")
            start, stop = period(when)
        given: list[tuple[str, str]] = [("series", name) for name in names]
        given += [("from", start)] if start is not None else []
        given += [("to", stop)] if stop is not None else []
        given += [("quality", "1")] if quality else []
        given += [("only", only)] if only is not None else []
        if every is not None:
            given += [("every", every), ("how", how)]
            given += [("max_age", max_age)] if max_age is not None else []
        else:
            given.append(("points", "all" if points is None else str(points)))
        body = self._get(f"/api/history?{urllib.parse.urlencode([*given, ('format', 'arrow')])}")
        with pa.ipc.open_stream(body) as reader:
            return _framed(reader.read_all(), frame, clocked=every is not None)

    def last(self) -> dict[str, tuple[int, float | None, float | None]]:
        """The newest sample of every series: (ms since 1970, value, standard deviation or None)."""
        answer = json.loads(self._get("/api/last"))
        return {name: (row[0], row[1], row[2]) for name, row in answer["series"].items()}

    def retention(self) -> dict[str, Any]:
        """How long what is kept of each series, and what is there: as `GET /api/retention` says it, in ms."""
        return json.loads(self._get("/api/retention"))["series"]

    def alarms(self, *, active: bool = False, limit: int = 200) -> list[dict[str, Any]]:
        """The newest alarms first, as `GET /api/alarms` gives them; active: only those that last."""
        given = urllib.parse.urlencode({"active": int(active), "limit": limit})
        return json.loads(self._get(f"/api/alarms?{given}"))["alarms"]

    def lives(self) -> list[dict[str, Any]]:
        """How long twins still have, by twin, as `GET /api/life` gives it; only those whose behaviour says its end."""
        return json.loads(self._get("/api/life"))["life"]

    def series(self) -> list[str]:
        """The names of all series, sorted."""
        return sorted(self.last())

    def quality(self, series: Sequence[str] = (), *, now: bool = False) -> list[dict[str, Any]]:
        """The series of which readings were suspect or bad, those that are so now first: as `GET /api/quality` tells.

        series: only these; now: only those whose newest reading is not good.
        """
        given = [("series", name) for name in series] + ([("now", "1")] if now else [])
        return json.loads(self._get(f"/api/quality?{urllib.parse.urlencode(given)}"))["series"]

    def models(self) -> list[Any]:
        """The DTDL documents of all types of the space."""
        path: str | None = "/models?includeModelDefinition=true&api-version=2023-10-31"
        found: list[Any] = []
        while path:
            page = json.loads(self._get(path))
            found.extend(each["model"] for each in page["value"])
            after = urllib.parse.urlsplit(page.get("nextLink") or "")
            path = f"{after.path}?{after.query}" if after.path else None
        return found

    def name(self) -> str:
        """What the space is called."""
        return str(json.loads(self._get("/api/space"))["name"])

    def twin(self, twin: str) -> dict[str, Any]:
        """A twin as `GET /api/twins/{id}` gives it. Raises NotFound."""
        return json.loads(self._get(f"/api/twins/{urllib.parse.quote(twin)}"))

    def calibration(self, twin: str) -> dict[str, Any] | None:
        """What the twin is followed with, as `ectype calibrate --out` wrote it; None if it has no calibration."""
        try:
            return json.loads(self._get(f"/api/calibrations/{urllib.parse.quote(twin)}"))
        except NotFound:
            return None

    def calibrated(self, twin: str, document: Any) -> int:
        """Follow a twin with this calibration from now on; the index of the entry that says so."""
        body = json.dumps(document).encode()
        return int(json.loads(self._get(f"/api/calibrations/{urllib.parse.quote(twin)}", body))["index"])

    def _get(self, path: str, body: bytes | None = None) -> bytes:
        request = urllib.request.Request(self._url + path, body)  # noqa: S310 - http and https only, see __init__
        if self._token is not None:
            request.add_header("Authorization", f"Bearer {self._token}")
        try:
            with urllib.request.urlopen(request, timeout=self._timeout_s, context=self._tls) as answer:  # noqa: S310
                return answer.read()
        except urllib.error.HTTPError as error:
            with error:
                raise _ERRORS.get(error.code, Unavailable)(_words(error)) from error
        except (OSError, ValueError) as error:
            raise Unavailable(f"{self._url} does not answer: {error}") from error


def period(when: str) -> tuple[str, str]:
    """The first and the last instant of a year, month or day, in UTC. Raises Invalid for anything else."""
    found = _PERIOD.fullmatch(when)
    if found is None:
        raise Invalid(f"{when!r} is no period; write a year, month or day like 2014, 2014-03 or 2014-03-01")
    month, day = (int(part) if part else None for part in found.groups()[1:])
    try:
        first = date(int(found[1]), 1 if month is None else month, 1 if day is None else day)
        if day is not None:
            after = first + timedelta(days=1)
        elif month is not None:
            after = date(first.year + first.month // 12, first.month % 12 + 1, 1)
        else:
            after = date(first.year + 1, 1, 1)
    except (ValueError, OverflowError) as error:
        raise Invalid(f"{when!r} is no period: {error}") from error
    last = after - timedelta(days=1)
    return f"{first.isoformat()}T00:00:00Z", f"{last.isoformat()}T23:59:59.999999999Z"


def _words(error: urllib.error.HTTPError) -> str:
    body = error.read()
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {error.code}: {body[:200].decode('utf-8', 'replace')}"


def _framed(table: pa.Table, frame: Frame | None, *, clocked: bool) -> Any:
    if frame is None:
        frame = "pandas" if _installed("pandas") else "polars" if _installed("polars") else "arrow"
    if frame == "arrow":
        return table
    if frame not in ("pandas", "polars"):
        raise Invalid(f"frame={frame!r} is none of pandas, polars, arrow")
    if not _installed(frame):
        raise Misconfigured(f"{frame} is not installed: pip install {frame}")
    if frame == "polars":
        return importlib.import_module("polars").from_arrow(table)
    made = table.to_pandas()
    return made.set_index("at") if clocked else made


def _installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None
