"""May this be written? One judgement, passed before an entry is appended and again when it is folded.

    model.put                            a DTDL interface whose id is new
    model.decommission                   no new twins of it ({"decommissioned": true}), or again
    model.delete                         not one that others extend or contain; twins of it may stay behind
    twin.put  twin.patch  twin.delete    a twin that conforms to its model; not deleted while it has relationships
    relationship.put  .patch  .delete    declared by the source's model, to a twin of the declared kind
    graph.put                            many puts at once: {"twins": [...], "relationships": [...]}
    graph.clear                          nothing is left
    alarm.raised  alarm.cleared          about a twin that exists
    telemetry                            from a twin that exists, or a component of it
    calibration.put                      of a twin that exists: its parameters, and how sure they are
    life.put                             of a twin that exists: how long it still has
    route.put  route.delete  job.put     kept as they are

Other kinds mean nothing to the graph, and pass. Entries that got into a log without passing are kept out of the
graph by the same rules, so whatever the log says, what the graph shows conforms to its types.
"""

from collections.abc import Callable, Mapping

import msgspec

from ectype.errors import Conflict, EctypeError, Invalid, NotFound
from ectype.graph.changes import (
    Change,
    Clear,
    DecommissionModel,
    DeleteModel,
    DeleteRecord,
    DeleteRelationship,
    DeleteTwin,
    PutAlarm,
    PutBlock,
    PutModel,
    PutRecord,
    PutRelationship,
    PutTwin,
    RowFault,
)
from ectype.graph.facts import Facts, Relationship, Twin
from ectype.graph.patch import apply_patch, pointer
from ectype.ids import check_twin_id
from ectype.model.instance import check_properties, check_relationship
from ectype.model.interface import Component, Interface
from ectype.model.interface import Relationship as RelationshipType
from ectype.model.models import Models, suggest
from ectype.model.parse import parse
from ectype.model.schema import JSON

__all__ = [
    "SEVERITIES",
    "Change",
    "DecommissionModel",
    "DeleteModel",
    "DeleteRecord",
    "DeleteRelationship",
    "DeleteTwin",
    "PutAlarm",
    "PutBlock",
    "PutModel",
    "PutRecord",
    "PutRelationship",
    "PutTwin",
    "check_write",
    "concerns",
    "read_json",
    "subject_of",
]

SEVERITIES = ("warning", "critical")
_ROWS_LIMIT = 10_000


def check_write(facts: Facts, kind: str, subject: str, body: JSON) -> Change | None:
    """What an entry of that kind, subject and body would do to the graph; None if it is none of the graph's.

    Raises Invalid if it breaks a type or its own form, NotFound if something it speaks of is not there, Conflict
    if something is in its way (a model that exists, relationships of a twin to be deleted).
    """
    rule = _RULES.get(kind)
    if rule is None:
        return None
    prefix = subject_of(kind)
    if not subject.startswith(prefix):
        raise Invalid(f"{kind} is about a subject like {prefix}…, not {subject[:140]!r}")
    return rule(facts, subject[len(prefix) :], body)


def concerns(kind: str) -> bool:
    """Does the graph know entries of this kind?"""
    return kind in _RULES


def subject_of(kind: str) -> str:
    """How the subject of that kind begins: `twin:` for `twin.put`."""
    return {"graph.put": "import:", "graph.clear": "delete:"}.get(kind) or kind.partition(".")[0] + ":"


def read_json(body: bytes) -> JSON:
    """The JSON value of a body. Raises Invalid."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise Invalid(f"this is not JSON: {error}") from error


def _put_model(facts: Facts, name: str, body: JSON) -> Change:
    document = _object(body, "a model")
    if document.get("@id") != name:
        raise Invalid(f'the model\'s "@id" is {str(document.get("@id"))[:140]!r}, but its subject names {name[:140]!r}')
    known = facts.models()
    if name in known:
        raise Conflict(f"model {name} exists already; give the changed one a higher version")
    parsed = parse([document], known)
    if len(parsed) != len(known) + 1:
        raise Invalid(f"model {name} holds other interfaces inside; put each of them on its own, those it needs first")
    return PutModel(name, parsed.interface(name).document, parsed)


def _delete_model(facts: Facts, name: str, body: JSON) -> Change:
    models = facts.models()
    models.interface(name)
    users = [each.id for each in models if each.id != name and name in _needs(each)]
    if users:
        raise Conflict(f"model {name} is extended or contained by {', '.join(users[:5])}; delete those first")
    return DeleteModel(name)


def _needs(interface: Interface) -> set[str]:
    """The interfaces that this one refers to by extending or containing them."""
    return {*interface.extends, *(c.schema for c in interface.own.values() if isinstance(c, Component))}


def _decommission_model(facts: Facts, name: str, body: JSON) -> Change:
    facts.models().interface(name)
    wanted = _object(body, "what to do with a model").get("decommissioned")
    if not isinstance(wanted, bool):
        raise Invalid('a model is decommissioned by {"decommissioned": true}')
    return DecommissionModel(name, wanted)


def _put_twin(facts: Facts, name: str, body: JSON) -> Change:
    check_twin_id(name)
    values = dict(_object(body, "a twin"))
    if values.pop("$dtId", name) != name:
        raise Invalid(f'the twin\'s "$dtId" is not {name!r}, which its subject names')
    values.pop("$etag", None)
    before = facts.find_twin(name)
    return _checked(facts, name, values, None if before is None else before.model)


def _patch_twin(facts: Facts, name: str, body: JSON) -> Change:
    twin = _existing(facts, name)
    parts: dict[str, JSON] = {each: {} for each in twin.properties}
    before: dict[str, JSON] = {**twin.properties, "$metadata": {**parts, "$model": twin.model}}
    put = _checked(facts, name, apply_patch(before, body), twin.model)
    return PutTwin(put.id, put.model, put.properties, touched(body), put.source_times)


def touched(patch: JSON) -> frozenset[str]:
    """The names that the operations of a patch that passed are about; of a part, the name of the whole."""
    operations = patch if isinstance(patch, list) else []
    paths = [str(each.get("path", "")) for each in operations if isinstance(each, dict)]
    return frozenset(pointer(path)[0] for path in paths if path.startswith("/")) - {"$metadata"}


def _checked(facts: Facts, name: str, values: dict[str, JSON], was: str | None) -> PutTwin:
    """The twin that `values` make, `was` being the model of the one by that name that there is."""
    metadata = values.pop("$metadata", None)
    model = metadata.get("$model") if isinstance(metadata, dict) else None
    if not isinstance(model, str):
        raise Invalid('a twin needs "$metadata": {"$model": "dtmi:…"}, the model that it is of')
    _no_dollars(values, "a twin")
    models = facts.models()
    if model not in models:
        raise Invalid(
            f"twin {name!r} is of a model that is not here: {model[:140]!r}{suggest(model, models.interfaces)}"
        )
    try:
        check_properties(models, model, values)
    except Invalid as error:
        raise Invalid(f"twin {name!r}: {error}") from error
    if was is not None and was != model:
        _edges_still_fit(facts, name, model)
    if was != model and facts.decommissioned(model):
        raise Invalid(f"model {model} is decommissioned: no new twins can be of it")
    return PutTwin(name, model, values, None, _source_times(metadata))


def _source_times(metadata: JSON) -> dict[str, str]:
    """`$metadata.NAME.sourceTime`, by name."""
    if not isinstance(metadata, dict):
        return {}
    times: dict[str, str] = {}
    for name, about in metadata.items():
        at = about.get("sourceTime") if isinstance(about, dict) else None
        if isinstance(at, str):
            times[name] = at
    return times


def _put_block(facts: Facts, name: str, body: JSON) -> Change:
    """Each row is judged as if it were put alone, twins first."""
    block = _object(body, "a block")
    twins, edges = block.get("twins", []), block.get("relationships", [])
    if not isinstance(twins, list) or not isinstance(edges, list):
        raise Invalid('a block is {"twins": [...], "relationships": [...]}')
    if len(twins) + len(edges) > _ROWS_LIMIT:
        raise Invalid(f"a block has at most {_ROWS_LIMIT} rows, not {len(twins) + len(edges)}")
    faults: list[RowFault] = []
    puts: dict[str, PutTwin] = {}
    named = [row.get("$dtId") for row in twins if isinstance(row, dict)]
    named += [row.get(end) for row in edges if isinstance(row, dict) for end in ("$sourceId", "$targetId")]
    known = dict(facts.models_of({each for each in named if isinstance(each, str)}))
    for number, row in enumerate(twins):
        twin_id = row.get("$dtId") if isinstance(row, dict) else ""
        try:
            put = _block_twin(facts, twin_id if isinstance(twin_id, str) else "", row, known)
            puts[put.id] = put
            known[put.id] = put.model
        except EctypeError as error:
            faults.append(RowFault("twins", number, str(twin_id)[:140], str(error)))
    made: list[PutRelationship] = []
    kinds: dict[tuple[str, str, str], RelationshipType] = {}
    models = facts.models() if edges else Models()
    for number, row in enumerate(edges):
        try:
            made.append(_edge_of(models, kinds, row, known))
        except EctypeError as error:
            shown = row.get("$relationshipId") if isinstance(row, dict) else None
            faults.append(RowFault("relationships", number, str(shown)[:140], str(error)))
    return PutBlock(tuple(puts.values()), tuple(made), tuple(faults))


def _clear(facts: Facts, name: str, body: JSON) -> Change:
    del facts, name, body
    return Clear()


def _block_twin(facts: Facts, name: str, row: JSON, known: Mapping[str, str]) -> PutTwin:
    check_twin_id(name)
    values = dict(_object(row, "a twin"))
    del values["$dtId"]
    values.pop("$etag", None)
    return _checked(facts, name, values, known.get(name))


def _edge_of(
    models: Models, kinds: dict[tuple[str, str, str], RelationshipType], row: JSON, known: Mapping[str, str]
) -> PutRelationship:
    """The edge that a row of a block is. known: the models of the twins there are; kinds: what was found to fit."""
    values = dict(_object(row, "a relationship"))
    values.pop("$etag", None)
    source, edge = values.pop("$sourceId", None), values.pop("$relationshipId", None)
    kind, target = values.pop("$relationshipName", None), values.pop("$targetId", None)
    if not (isinstance(source, str) and isinstance(edge, str) and isinstance(kind, str) and isinstance(target, str)):
        raise Invalid('a relationship needs "$sourceId", "$relationshipId", "$relationshipName" and "$targetId"')
    source_model, target_model = known.get(source), known.get(target)
    if source_model is None or target_model is None:
        raise NotFound(f"there is no twin {(source if source_model is None else target)[:140]!r}")
    _edge_id(edge)
    if source == target:
        raise Invalid(f"twin {source!r} cannot have a relationship to itself")
    declared = kinds.get((source_model, kind, target_model))
    if declared is None:
        declared = _declared(models, source, source_model, kind, target_model)
        kinds[source_model, kind, target_model] = declared
    if values:
        _no_dollars(values, "a relationship")
        check_relationship(declared, values)
    return PutRelationship(source, edge, kind, target, values)


def _edges_still_fit(facts: Facts, name: str, model: str) -> None:
    for edge in facts.relationships(name):
        target = facts.find_twin(edge.target)
        _check_edge(facts.models(), name, model, edge.name, target.model if target else "", edge.properties)
    for edge in facts.incoming(name):
        source = facts.find_twin(edge.source)
        _check_edge(facts.models(), edge.source, source.model if source else "", edge.name, model, edge.properties)


def _delete_twin(facts: Facts, name: str, body: JSON) -> Change:
    _existing(facts, name)
    edges: list[Relationship] = [*facts.relationships(name), *facts.incoming(name)]
    if edges:
        first = f"{edges[0].source}/{edges[0].id}"
        raise Conflict(f"twin {name!r} has {len(edges)} relationships ({first}, …); delete them first")
    return DeleteTwin(name)


def _put_relationship(facts: Facts, name: str, body: JSON) -> Change:
    source_id, relationship_id = _edge_ids(name)
    values = dict(_object(body, "a relationship"))
    values.pop("$etag", None)
    for key, wanted in (("$sourceId", source_id), ("$relationshipId", relationship_id)):
        if values.pop(key, wanted) != wanted:
            raise Invalid(f'the relationship\'s "{key}" is not {wanted!r}, which its subject names')
    kind, target_id = values.pop("$relationshipName", None), values.pop("$targetId", None)
    if not isinstance(kind, str) or not isinstance(target_id, str):
        raise Invalid('a relationship needs "$relationshipName" and "$targetId"')
    _no_dollars(values, "a relationship")
    source, target = _existing(facts, source_id), _existing(facts, target_id)
    if source_id == target_id:
        raise Invalid(f"twin {source_id!r} cannot have a relationship to itself")
    _check_edge(facts.models(), source_id, source.model, kind, target.model, values)
    return PutRelationship(source_id, relationship_id, kind, target_id, values)


def _check_edge(
    models: Models, source: str, source_model: str, kind: str, target_model: str, values: Mapping[str, JSON]
) -> None:
    check_relationship(_declared(models, source, source_model, kind, target_model), values)


def _declared(models: Models, source: str, source_model: str, kind: str, target_model: str) -> RelationshipType:
    """The relationship of that kind between twins of these models. Raises Invalid if there is none."""
    contents = models.interface(source_model).contents
    declared = contents.get(kind)
    if not isinstance(declared, RelationshipType):
        names = [name for name, content in contents.items() if isinstance(content, RelationshipType)]
        raise Invalid(f"{source_model} of {source!r} declares no relationship {kind[:80]!r}{suggest(kind, names)}")
    if declared.target is not None and not models.is_a(target_model, declared.target):
        raise Invalid(f"relationship {kind!r} leads to twins of {declared.target}, not of {target_model}")
    return declared


def _patch_relationship(facts: Facts, name: str, body: JSON) -> Change:
    source, relationship_id = _edge_ids(name)
    edge = facts.find_relationship(source, relationship_id)
    if edge is None:
        raise NotFound(f"there is no relationship {relationship_id!r} of twin {source!r}")
    values = apply_patch(edge.properties, body)
    _no_dollars(values, "a relationship")
    target = _existing(facts, edge.target)
    _check_edge(facts.models(), source, _existing(facts, source).model, edge.name, target.model, values)
    return PutRelationship(source, relationship_id, edge.name, edge.target, values)


def _delete_relationship(facts: Facts, name: str, body: JSON) -> Change:
    source, relationship_id = _edge_ids(name)
    if facts.find_relationship(source, relationship_id) is None:
        raise NotFound(f"there is no relationship {relationship_id!r} of twin {source!r}")
    return DeleteRelationship(source, relationship_id)


def _edge_ids(name: str) -> tuple[str, str]:
    source, _, relationship_id = name.partition("/")
    check_twin_id(source)
    return source, _edge_id(relationship_id)


def _edge_id(relationship_id: str) -> str:
    try:
        return check_twin_id(relationship_id)
    except Invalid:
        shown = relationship_id[:140]
        hint = "use 1 to 128 letters, digits or -_:~*()!'"
        raise Invalid(f"{shown!r} cannot be the id of a relationship: {hint}") from None


def _raise_alarm(facts: Facts, name: str, body: JSON) -> Change:
    return _alarm(facts, name, _object(body, "an alarm"), over=False)


def _clear_alarm(facts: Facts, name: str, body: JSON) -> Change:
    return _alarm(facts, name, _object(body, "an alarm"), over=True)


def _alarm(facts: Facts, name: str, body: Mapping[str, JSON], *, over: bool) -> Change:
    twin, _, what = name.partition("/")
    if (body.get("twin"), body.get("name")) != (twin, what) or not what:
        raise Invalid(f'an alarm\'s "twin" and "name" are those its subject names, {name[:140]!r}')
    _existing(facts, twin)
    severity, text = body.get("severity"), body.get("text", "")
    if severity not in SEVERITIES:
        raise Invalid(f'the "severity" of an alarm is {" or ".join(SEVERITIES)}')
    if not isinstance(text, str):
        raise Invalid('the "text" of an alarm is a text')
    since = _instant(body.get("since_ns"), "since_ns")
    until = _instant(body.get("until_ns"), "until_ns") if over else None
    if until is not None and until < since:
        raise Invalid("an alarm cannot be over before it began")
    cost = body.get("cost_kwh")
    if cost is not None and (isinstance(cost, bool) or not isinstance(cost, int | float)):
        raise Invalid('the "cost_kwh" of an alarm is a number')
    why = body.get("why")
    reason = None if why is None else msgspec.json.encode(_object(why, 'the "why" of an alarm')).decode()
    return PutAlarm(twin, what, str(severity), text, since, until, None if cost is None else float(cost), reason)


def _telemetry(facts: Facts, name: str, body: JSON) -> Change | None:
    message = _object(body, "telemetry")
    if message.get("twin", name) != name:
        raise Invalid(f'the telemetry\'s "twin" is not {name!r}, which its subject names')
    twin = _existing(facts, name)
    component = message.get("component")
    if component is not None:
        declared = facts.models().interface(twin.model).contents.get(str(component))
        if not isinstance(declared, Component):
            raise NotFound(f"twin {name!r} has no component {str(component)[:80]!r}")
    _object(message.get("payload"), "the payload of telemetry")
    return None


def _put_route(facts: Facts, name: str, body: JSON) -> Change:
    return PutRecord("route", name, _object(body, "an event route"))


def _delete_route(facts: Facts, name: str, body: JSON) -> Change:
    return DeleteRecord("route", name)


def _put_calibration(facts: Facts, name: str, body: JSON) -> Change:
    told = _object(body, "a calibration")
    if facts.find_twin(name) is None:
        raise NotFound(f"there is no twin {name[:140]!r} to be calibrated")
    if told.get("twin") != name or not isinstance(told.get("parameters"), Mapping):
        raise Invalid(f"this is no calibration of '{name}'; write one with `ectype calibrate … --out FILE`")
    return PutRecord("calibration", name, told)


def _put_life(facts: Facts, name: str, body: JSON) -> Change:
    told = _object(body, "a remaining life")
    _existing(facts, name)
    if told.get("twin") != name or not isinstance(told.get("until"), str) or not isinstance(told.get("text"), str):
        raise Invalid(f'a remaining life has "twin" {name[:140]!r}, and "until" and "text", which are texts')
    return PutRecord("life", name, told)


def _put_job(facts: Facts, name: str, body: JSON) -> Change:
    return PutRecord("job", name, _object(body, "a job"))


def _delete_job(facts: Facts, name: str, body: JSON) -> Change:
    return DeleteRecord("job", name)


def _instant(value: JSON, name: str) -> int:
    """Nanoseconds; in canonical JSON, which has no whole numbers beyond 2^53, as a decimal text."""
    if isinstance(value, str) and value.removeprefix("-").isdecimal() and len(value) <= 20:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
        raise Invalid(f'the "{name}" of an alarm is an instant in nanoseconds since 1970')
    return value


def _existing(facts: Facts, twin_id: str) -> Twin:
    found = facts.find_twin(twin_id)
    if found is None:
        raise NotFound(f"there is no twin {twin_id[:140]!r}")
    return found


def _object(body: JSON, what: str) -> dict[str, JSON]:
    if not isinstance(body, dict):
        raise Invalid(f"{what} is a JSON object")
    return body


def _no_dollars(values: Mapping[str, JSON], what: str) -> None:
    for name in values:
        if name.startswith("$"):
            raise Invalid(f"{what} has no {name[:80]!r}; names that begin with $ belong to the system")


_RULES: dict[str, Callable[[Facts, str, JSON], Change | None]] = {
    "model.put": _put_model,
    "model.delete": _delete_model,
    "model.decommission": _decommission_model,
    "graph.put": _put_block,
    "graph.clear": _clear,
    "telemetry": _telemetry,
    "route.put": _put_route,
    "route.delete": _delete_route,
    "job.put": _put_job,
    "calibration.put": _put_calibration,
    "life.put": _put_life,
    "job.delete": _delete_job,
    "twin.put": _put_twin,
    "twin.patch": _patch_twin,
    "twin.delete": _delete_twin,
    "relationship.put": _put_relationship,
    "relationship.patch": _patch_relationship,
    "relationship.delete": _delete_relationship,
    "alarm.raised": _raise_alarm,
    "alarm.cleared": _clear_alarm,
}
