"""What tests of FMUs share."""

from pathlib import Path

import pytest

from .foreign import OPEN_MODELICA


@pytest.fixture
def open_modelica() -> Path:
    """Two masses between three springs, exported by OpenModelica 1.21 for both kinds."""
    assert OPEN_MODELICA is not None
    return OPEN_MODELICA
