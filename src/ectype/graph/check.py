"""May this be written? One judgement, passed before an entry is appended and again when it is folded.

    model.put                            a DTDL interface whose id is new
    twin.put  twin.patch  twin.delete    a twin that conforms to its model; not deleted while it has relationships
    relationship.put  relationship.delete   declared by the source's model, to a twin of the declared kind
    alarm.raised  alarm.cleared          about a twin that exists

Other kinds mean nothing to the graph, and pass. Entries that got into a log without passing are kept out of the
graph by the same rules, so whatever the log says, what the graph shows conforms to its types.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, final

import msgspec

from ectype.errors import Conflict, Invalid, NotFound
from ectype.graph.facts import Facts, Relationship, Twin
from ectype.graph.patch import apply_patch
from ectype.ids import check_twin_id
from ectype.model.instance import check_properties, check_relationship
from ectype.model.interface import Relationship as RelationshipType
from ectype.model.models import Models, suggest
from ectype.model.parse import parse
from ectype.model.schema import JSON

SEVERITIES = ("warning", "critical")


@final
@dataclass(frozen=True, slots=True)
class PutModel:
    """The graph gets one more interface."""

    id: str
    document: Mapping[str, JSON]
    models: Models


@final
@dataclass(frozen=True, slots=True)
class PutTwin:
    """A twin is so from now on."""

    id: str
    model: str
    properties: Mapping[str, JSON]


@final
@dataclass(frozen=True, slots=True)
class DeleteTwin:
    """A twin is gone."""

    id: str


@final
@dataclass(frozen=True, slots=True)
class PutRelationship:
    """An edge is so from now on."""

    source: str
    id: str
    name: str
    target: str
    properties: Mapping[str, JSON]


@final
@dataclass(frozen=True, slots=True)
class DeleteRelationship:
    """An edge is gone."""

    source: str
    id: str


@final
@dataclass(frozen=True, slots=True)
class PutAlarm:
    """An alarm is raised, changed while it lasts, or over (until_ns)."""

    twin: str
    name: str
    severity: str
    text: str
    since_ns: int
    until_ns: int | None
    cost_kwh: float | None


Change: TypeAlias = PutModel | PutTwin | DeleteTwin | PutRelationship | DeleteRelationship | PutAlarm
"""What a write that passed does to the graph."""


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
    return kind.partition(".")[0] + ":"


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


def _put_twin(facts: Facts, name: str, body: JSON) -> Change:
    check_twin_id(name)
    values = dict(_object(body, "a twin"))
    if values.pop("$dtId", name) != name:
        raise Invalid(f'the twin\'s "$dtId" is not {name!r}, which its subject names')
    values.pop("$etag", None)
    return _twin(facts, name, values)


def _patch_twin(facts: Facts, name: str, body: JSON) -> Change:
    twin = _existing(facts, name)
    before: dict[str, JSON] = {**twin.properties, "$metadata": {"$model": twin.model}}
    return _twin(facts, name, apply_patch(before, body), twin)


def _twin(facts: Facts, name: str, values: dict[str, JSON], before: Twin | None = None) -> Change:
    metadata = values.pop("$metadata", None)
    model = metadata.get("$model") if isinstance(metadata, dict) else None
    if not isinstance(model, str):
        raise Invalid('a twin needs "$metadata": {"$model": "dtmi:…"}, the model that it is of')
    if before is not None and isinstance(metadata, dict) and len(metadata) > 1:
        raise Invalid('of "$metadata" only "/$metadata/$model" can be patched')
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
    before = facts.find_twin(name) if before is None else before
    if before is not None and before.model != model:
        _edges_still_fit(facts, name, model)
    return PutTwin(name, model, values)


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
    contents = models.interface(source_model).contents
    declared = contents.get(kind)
    if not isinstance(declared, RelationshipType):
        names = [name for name, content in contents.items() if isinstance(content, RelationshipType)]
        raise Invalid(f"{source_model} of {source!r} declares no relationship {kind[:80]!r}{suggest(kind, names)}")
    if declared.target is not None and not models.is_a(target_model, declared.target):
        raise Invalid(f"relationship {kind!r} leads to twins of {declared.target}, not of {target_model}")
    check_relationship(declared, values)


def _delete_relationship(facts: Facts, name: str, body: JSON) -> Change:
    source, relationship_id = _edge_ids(name)
    if facts.find_relationship(source, relationship_id) is None:
        raise NotFound(f"there is no relationship {relationship_id!r} of twin {source!r}")
    return DeleteRelationship(source, relationship_id)


def _edge_ids(name: str) -> tuple[str, str]:
    source, _, relationship_id = name.partition("/")
    check_twin_id(source)
    try:
        return source, check_twin_id(relationship_id)
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
    return PutAlarm(twin, what, str(severity), text, since, until, None if cost is None else float(cost))


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


_RULES: dict[str, Callable[[Facts, str, JSON], Change]] = {
    "model.put": _put_model,
    "twin.put": _put_twin,
    "twin.patch": _patch_twin,
    "twin.delete": _delete_twin,
    "relationship.put": _put_relationship,
    "relationship.delete": _delete_relationship,
    "alarm.raised": _raise_alarm,
    "alarm.cleared": _clear_alarm,
}
