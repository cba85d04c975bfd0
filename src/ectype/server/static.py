"""The page and its files: found strictly inside one folder, compressed once, cached as long as their names allow."""

import asyncio
import gzip
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from ectype.errors import NotFound
from ectype.server.auth import Credentials, Views, cookie_name, open_view
from ectype.server.errors import error_response

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".glb": "model/gltf-binary",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
_PACKED = frozenset({".glb", ".ico", ".jpg", ".png", ".webp", ".woff2"})  # gain nothing from gzip (glb: little)
_WORTH_BYTES = 1024
_HASHED = re.compile(r"assets/.+-[A-Za-z0-9_-]{8,}\.[a-z0-9.]+")
_YEAR = "public, max-age=31536000, immutable"
_SEGMENT = re.compile(r"[A-Za-z0-9_@~+=,()!\-][A-Za-z0-9_@~+=,()!.\- ]*")

_NOT_BUILT = """<!doctype html>
<html lang="en">
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>Ectype</title>
<body style="font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 12vh auto; padding: 0 1rem">
<h1>The node runs; its page is not built</h1>
<p>This is Ectype from a source folder without the web bundle. Build it with one of</p>
<pre>pip install .                                   # builds the page into the package
cd web &amp;&amp; npm install &amp;&amp; ECTYPE_WEB_OUT=../src/ectype/server/static npm run build</pre>
<p>and start the node again. The API is here already: <a href="/api/space">/api/space</a>,
<a href="/api/twins">/api/twins</a>, <a href="/api/last">/api/last</a>.</p>
</body></html>
"""


@final
@dataclass(frozen=True, slots=True)
class _Asset:
    stamp: tuple[int, int]  # mtime_ns and size that it was read at
    body: bytes
    packed: bytes | None
    etag: str


@final
class Files:
    """The files of a folder as HTTP answers; each is read and compressed once, and again when it changes."""

    def __init__(self, folder: Path) -> None:
        self._root = folder.resolve()
        self._assets: dict[str, _Asset] = {}

    async def answer(self, path: str, request: Request) -> Response:
        """The file at `path` below the folder. Raises NotFound for anything else."""
        file = self.find(path)
        asset = await self._asset(path, file)
        headers = {
            "cache-control": _YEAR if _HASHED.fullmatch(path) else "no-cache",
            "etag": asset.etag,
            "vary": "accept-encoding",
        }
        if asset.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        body = asset.body
        if asset.packed is not None and _takes_gzip(request.headers.get("accept-encoding", "")):
            body = asset.packed
            headers["content-encoding"] = "gzip"
        headers["content-type"] = _TYPES.get(file.suffix, "application/octet-stream")
        return Response(body, headers=headers)

    def find(self, path: str) -> Path:
        """The file that `path` names, certainly inside the folder: links that lead out are not followed."""
        if all(_SEGMENT.fullmatch(segment) for segment in path.split("/")):
            file = (self._root / path).resolve()
            if file.is_relative_to(self._root) and file.is_file():
                return file
        raise NotFound(f"there is no file /{path[:200]}")

    async def _asset(self, path: str, file: Path) -> _Asset:
        stat = file.stat()
        stamp = (stat.st_mtime_ns, stat.st_size)
        asset = self._assets.get(path)
        if asset is None or asset.stamp != stamp:
            asset = self._assets[path] = await asyncio.to_thread(_read, file, stamp)
        return asset


def page_route(views: Views, folder: Path | None) -> Route:
    """Everything that is not the API. The page itself is public; its data is not.

    A link with ?token= leaves the token in a cookie that scripts cannot read, and the address bar without it.
    """
    files = Files(folder) if folder is not None and (folder / "index.html").is_file() else None

    async def page(request: Request) -> Response:
        try:
            if "token" in request.query_params:
                return _keep_token(request, views)
            path = request.path_params["path"]
            if path == "api" or path.startswith("api/"):
                raise NotFound(f"there is nothing at /{path[:200]}; docs/http.md lists what there is")
            if files is None:
                if path:
                    raise NotFound(f"there is no file /{path[:200]}: the page is not built")
                return HTMLResponse(_NOT_BUILT, headers={"cache-control": "no-store"})
            return await files.answer(path or "index.html", request)
        except Exception as error:  # noqa: BLE001 - the edge: everything is told to the caller and logged
            return error_response(error)

    return Route("/{path:path}", page, methods=["GET", "HEAD"], name="page")


def _keep_token(request: Request, views: Views) -> Response:
    token = request.query_params["token"]
    open_view(views, Credentials(token, request.client.host if request.client else None))
    rest = [(name, value) for name, value in request.query_params.multi_items() if name != "token"]
    path = "/" + request.path_params["path"].lstrip("/\\")  # never //host, which would lead elsewhere
    answer = RedirectResponse(path + ("?" + urlencode(rest) if rest else ""), 303, {"cache-control": "no-store"})
    secure = request.url.scheme == "https"
    answer.set_cookie(cookie_name(request), token, httponly=True, samesite="strict", secure=secure, path="/")
    return answer


def _read(file: Path, stamp: tuple[int, int]) -> _Asset:
    body = file.read_bytes()
    packed = None
    if len(body) >= _WORTH_BYTES and file.suffix not in _PACKED:
        packed = gzip.compress(body, 6, mtime=0)
    return _Asset(stamp, body, packed, f'"{hashlib.sha256(body).hexdigest()[:24]}"')


def _takes_gzip(accept: str) -> bool:
    for offer in accept.lower().split(","):
        name, _, weight = offer.partition(";")
        if name.strip() in ("gzip", "*"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
