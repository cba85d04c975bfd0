"""Parameters drawn from what `ectype calibrate --out` wrote: a forecast is no surer than its twin's parameters."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from ectype.calibrate.coordinates import Coordinates
from ectype.errors import Misconfigured
from ectype.estimate.behaviour import Behaviour
from ectype.values.block import Float64s

_NOISE = "noise of "


def read_posterior(behaviour: type[Behaviour], path: Path, twin: str, draws: int = 1000) -> tuple[Float64s, Float64s]:
    """(constants [c] at the top, draws [c, draws]). Raises Misconfigured if the file is of another behaviour or twin,
    or holds what changes the behaviour itself (a learned part, noise factors).
    """
    return posterior_of(behaviour, _document(path, twin), str(path), draws)


def posterior_of(
    behaviour: type[Behaviour], document: Mapping[str, Any], path: str, draws: int = 1000, seed: int = 0
) -> tuple[Float64s, Float64s]:
    """The same of a document that came from `path`. Equal seeds give equal luck, also to different twins."""
    if not {"parameters", "z", "covariance"} <= set(document):
        raise Misconfigured(f"{path} is no calibration; write it with `ectype calibrate … --out FILE`")
    if document.get("behaviour") != behaviour.model:
        raise Misconfigured(f"{path} is of {document.get('behaviour')}, not of {behaviour.model}")
    if "learned" in document or any(name.startswith(_NOISE) for name in document["parameters"]):
        raise Misconfigured(
            f"{path} has a learned part or noise factors, which change the behaviour: put them into the class "
            "(sigma, q), calibrate again without --noise and --learn, and forecast with that"
        )
    c = Coordinates.of(behaviour)
    if set(c.names) != set(document["parameters"]) or len(document["z"]) != len(c.names):
        raise Misconfigured(f"{path} has {', '.join(document['parameters'])}; the behaviour has {', '.join(c.names)}")
    z, cov = np.array(document["z"], np.float64), np.array(document["covariance"], np.float64)
    kicks = np.random.default_rng(seed).standard_normal((draws, len(z))) @ np.linalg.cholesky(cov).T
    drawn = np.clip(z + kicks, c.low, c.high)
    return c.constants(z), np.stack([c.constants(row) for row in drawn], 1)


def of_twin(
    behaviour: type[Behaviour],
    properties: Mapping[str, Any],
    calibration: Mapping[str, Any] | None,
    where: str,
    draws: int = 1000,
    seed: int = 0,
) -> tuple[Float64s, Float64s | None]:
    """(constants [c], draws [c, draws] or None) of a twin of a space: those of its calibration, else its properties of
    the same name, else as declared. What the behaviour declares without a prior no calibration finds. where: what to
    call the calibration. Raises Misconfigured as `posterior_of` does.
    """
    declared = behaviour.layout.constants
    own = np.array([number(properties, p.property, p.value) for p in declared], np.float64)
    if calibration is None:
        return own, None
    constants, drawn = posterior_of(behaviour, calibration, where, draws, seed)
    free = np.array([p.prior is not None for p in declared], bool)
    return np.where(free, constants, own), np.where(free[:, None], drawn, own[:, None])


def number(properties: Mapping[str, Any], name: str, default: float = math.nan) -> float:
    """A property that is a number, else the default."""
    value = properties.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else default


def _document(path: Path, twin: str) -> dict[str, Any]:
    try:
        read: Any = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise Misconfigured(
            f"{path} cannot be read: {error}; write it with `ectype calibrate … --out {path}`"
        ) from error
    every: list[Any] = cast(list[Any], read) if isinstance(read, list) else [read]
    of_twin = [cast(dict[str, Any], d) for d in every if isinstance(d, dict)]
    found = [d for d in of_twin if d.get("twin") == twin and {"parameters", "z", "covariance"} <= set(d)]
    if len(found) != 1:
        raise Misconfigured(f"{path} has no calibration of '{twin}'")
    return found[0]
