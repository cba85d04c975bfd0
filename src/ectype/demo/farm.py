"""The farm as a space holds it: its types, its twins and who stands beside whom.

Facts from the data's asset table ("La Haute Borne", ENGIE, Licence Ouverte 2.0).
"""

import json
from importlib import resources
from itertools import permutations
from typing import cast

from ectype.clock import to_iso
from ectype.model.schema import JSON
from ectype.node.write import Draft

FARM = "la-haute-borne"
REPLAY = "replay"
PRICE_EUR_PER_MWH = 50.0
SPEED = 600.0
TURBINES: dict[str, tuple[float, float]] = {  # latitude, longitude
    "R80711": (48.4569, 5.5847),
    "R80721": (48.4497, 5.5869),
    "R80736": (48.4461, 5.5925),
    "R80790": (48.4536, 5.5875),
}
_MODELS = ("WindTurbine", "WindFarm", "Replay")


def models() -> list[JSON]:
    """The farm's types as DTDL documents."""
    folder = resources.files("ectype.demo") / "models"
    return [cast(JSON, json.loads((folder / f"{name}.json").read_text("utf-8"))) for name in _MODELS]


def drafts(from_ns: int, to_ns: int) -> list[Draft]:
    """Everything to write into an empty space, in order; the recording reaches from `from_ns` to `to_ns`."""
    wanted: list[Draft] = []
    for model in models():
        wanted.append(Draft("model.put", f"model:{cast(dict[str, str], model)['@id']}", model))
    wanted.append(
        _twin(
            FARM,
            "WindFarm",
            name="La Haute Borne",
            operator="ENGIE",
            attribution="ENGIE, La Haute Borne, Licence Ouverte 2.0",
            latitude=sum(lat for lat, _ in TURBINES.values()) / len(TURBINES),
            longitude=sum(lon for _, lon in TURBINES.values()) / len(TURBINES),
            electricityPrice=PRICE_EUR_PER_MWH,
        )
    )
    for name, (latitude, longitude) in TURBINES.items():
        wanted.append(
            _twin(
                name,
                "WindTurbine",
                name=name,
                manufacturer="Senvion",
                type="MM82",
                latitude=latitude,
                longitude=longitude,
                elevation=411.0,
                hubHeight=80.0,
                rotorDiameter=82.0,
                ratedPower=2050.0,
            )
        )
    properties: dict[str, JSON] = {"speed": SPEED, "paused": False, "from": to_iso(from_ns), "to": to_iso(to_ns)}
    wanted.append(_twin(REPLAY, "Replay", **properties))
    wanted += [_relationship(FARM, "contains", turbine) for turbine in TURBINES]
    wanted += [_relationship(a, "neighbours", b) for a, b in permutations(TURBINES, 2)]
    return wanted


def _twin(twin_id: str, model: str, /, **properties: JSON) -> Draft:
    body: dict[str, JSON] = {"$dtId": twin_id, "$metadata": {"$model": f"dtmi:ectype:{model};1"}, **properties}
    return Draft("twin.put", f"twin:{twin_id}", body)


def _relationship(source: str, name: str, target: str) -> Draft:
    rid = f"{name}-{target}"
    body: dict[str, JSON] = {
        "$sourceId": source,
        "$relationshipId": rid,
        "$relationshipName": name,
        "$targetId": target,
    }
    return Draft("relationship.put", f"relationship:{source}/{rid}", body)
