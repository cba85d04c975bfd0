"""Where the parameters of twins that are followed come from: the twin's calibration, else its properties of the same
name, else as declared. In a plant each twin's are its own.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from ectype.errors import EctypeError
from ectype.estimate.behaviour import Behaviour
from ectype.estimate.plant import Kind
from ectype.foresee.posterior import of_twin
from ectype.node.behaviours import Wrong
from ectype.node.pipe import TwinRecord
from ectype.values.block import Float64s

_DRAWS = 200


def parameters(
    kind: Kind,
    plant: Sequence[str],
    twins: Mapping[str, TwinRecord],
    calibrations: Mapping[str, Mapping[str, object]],
    where: str,
    wrong: list[Wrong],
) -> tuple[Float64s, Float64s]:
    """(constants [c], draws of them [c, any]) of a plant, each twin's in its place."""
    own = [
        _own(member, twins[twin], calibrations.get(twin), place, where, wrong)
        for place, (member, twin) in enumerate(zip(kind.members, plant, strict=True))
    ]
    most = max(drawn.shape[1] for _, drawn in own)
    constants, draws = np.empty(sum(len(c) for c, _ in own)), np.empty((sum(len(c) for c, _ in own), most))
    rows = [{p.name: i for i, p in enumerate(member.layout.constants)} for member in kind.members]
    for i, p in enumerate(kind.behaviour.layout.constants):
        place, name = kind.whose(p.name)
        row = rows[place][name]
        constants[i], draws[i] = own[place][0][row], own[place][1][row]
    return constants, draws


def _own(
    behaviour: type[Behaviour],
    twin: TwinRecord,
    calibration: Mapping[str, object] | None,
    place: int,
    where: str,
    wrong: list[Wrong],
) -> tuple[Float64s, Float64s]:
    """(constants [c], draws of them [c, any]) of one twin. place: so that twins of a plant have each its own luck."""
    try:
        constants, drawn = of_twin(
            behaviour, twin.properties, calibration, f"the calibration of {twin.id}", _DRAWS, seed=place
        )
    except (EctypeError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        text = str(error) if isinstance(error, EctypeError) else f"the calibration of {twin.id} is damaged: {error}"
        wrong.append(Wrong(where, f"{text}; {twin.id} goes on without it"))
        constants, drawn = of_twin(behaviour, twin.properties, None, "")
    return constants, constants[:, None] if drawn is None else drawn
