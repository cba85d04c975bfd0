"""Interfaces for tests, in as few words as possible."""

from ectype.model import JSON

CONTEXT = "dtmi:dtdl:context;3"


def interface(name: str, *contents: JSON, **more: JSON) -> dict[str, JSON]:
    return {
        "@context": CONTEXT,
        "@id": f"dtmi:test:{name};1",
        "@type": "Interface",
        "contents": list(contents),
        **more,
    }


def prop(name: str, schema: JSON = "double", **more: JSON) -> JSON:
    return {"@type": "Property", "name": name, "schema": schema, **more}


def telemetry(name: str, schema: JSON = "double", **more: JSON) -> JSON:
    return {"@type": "Telemetry", "name": name, "schema": schema, **more}


def relationship(name: str, target: str | None = None, **more: JSON) -> JSON:
    found: dict[str, JSON] = {"@type": "Relationship", "name": name, **more}
    return found if target is None else {**found, "target": f"dtmi:test:{target};1"}


def component(name: str, schema: str) -> JSON:
    return {"@type": "Component", "name": name, "schema": f"dtmi:test:{schema};1"}
