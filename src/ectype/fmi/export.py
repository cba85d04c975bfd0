"""Any behaviour as an FMU: its source, its description, and a binary for this machine where a compiler is."""

import io
import math
import platform
import shutil
import subprocess
import sys
import tempfile
import uuid
import zipfile
from importlib.resources import files
from pathlib import Path

from ectype.errors import Misconfigured, Unavailable
from ectype.estimate.behaviour import Behaviour
from ectype.fmi.description import Version, build_description, model_description
from ectype.fmi.emit_c import source
from ectype.fmi.program import program_of

_NAMESPACE = uuid.UUID("2d7f7c2e-3c0e-5b0a-9c53-6a2c1f7f9e11")
_OLD = {"x86_64": "64", "i686": "32"}


def compiler() -> str | None:
    """The C compiler of this machine, None if there is none."""
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


def export(
    behaviour: type[Behaviour],
    version: Version = 3,
    *,
    step_s: float | None = None,
    stop_s: float = 100.0,
    binary: bool = True,
) -> bytes:
    """The FMU. Equal behaviours and options give equal bytes but for the binary. step_s: the longest step that it takes
    inside one of its master's; None leaves the master's steps whole, as the filter does. Raises Unavailable, with what
    the compiler said, if it fails.
    """
    if step_s is not None and not step_s > 0:
        raise Misconfigured(f"a step of {step_s} s leads nowhere; write a positive number of seconds")
    program = program_of(behaviour)
    identifier = behaviour.__name__
    token = str(uuid.uuid5(_NAMESPACE, f"{version} {step_s} {program.digest}"))
    held = files("ectype.fmi") / "c"
    sources = {name: (held / name).read_text() for name in ("instance.h", f"fmi{version}.c")}
    sources["model.c"] = source(program, token, math.inf if step_s is None else step_s)
    told = model_description(program, version, identifier, token, stop_s, stop_s / 100 if step_s is None else step_s)
    content: dict[str, bytes] = {"modelDescription.xml": told.encode()}
    content |= {f"sources/{name}": text.encode() for name, text in sources.items()}
    if version == 3:
        content["sources/buildDescription.xml"] = build_description(identifier).encode()
    cc = compiler()
    if binary and cc is not None:
        content[_place(version, identifier)] = _compiled(cc, sources, f"fmi{version}.c")
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in content.items():
            packed.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def _place(version: Version, identifier: str) -> str:
    """Where the standard wants this platform's binary."""
    machine = platform.machine().replace("arm64", "aarch64").replace("AMD64", "x86_64")
    system = {"linux": "linux", "darwin": "darwin", "win32": "windows"}.get(sys.platform, sys.platform)
    suffix = {"darwin": ".dylib", "windows": ".dll"}.get(system, ".so")
    if version == 3:
        return f"binaries/{machine}-{system}/{identifier}{suffix}"
    bits = _OLD.get(machine, f"-{machine}")
    return f"binaries/{'win' if system == 'windows' else system}{bits}/{identifier}{suffix}"


def _compiled(cc: str, sources: dict[str, str], main: str) -> bytes:
    """Without contraction of multiply-adds, so that the numbers are those of the other back ends."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in sources.items():
            (Path(folder) / name).write_text(text)
        out = Path(folder) / "out"
        words = [cc, "-shared", "-fPIC", "-O2", "-std=c99", "-ffp-contract=off", "-fvisibility=hidden"]
        ran = subprocess.run(
            [*words, "-o", str(out), main, "-lm"], cwd=folder, capture_output=True, text=True, check=False
        )
        if ran.returncode:
            raise Unavailable(f"{cc} does not compile the FMU: {ran.stderr.strip()[:500]}; leave the binary out")
        return out.read_bytes()
