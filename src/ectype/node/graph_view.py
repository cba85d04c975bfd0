"""The graph as somebody may see and change it: the part of the view that the Azure Digital Twins API speaks to.

Pages are lists cut after a key, so a reader who goes on later neither misses nor repeats what was there before.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar, final

from ectype.errors import Conflict, NotFound
from ectype.graph.facts import Model, Relationship, Twin, instant
from ectype.graph.patch import BadPatch
from ectype.model.interface import Component
from ectype.model.parse import InvalidModel, parse
from ectype.model.schema import JSON
from ectype.node.routes import BadFilter, NoEndpoint, RouteState
from ectype.node.write import Draft, PreconditionFailed, Written
from ectype.query import Page as Rows
from ectype.query import TooLong, Unparsable, ask
from ectype.trust.access import Principal, demand

if TYPE_CHECKING:
    from ectype.node.node import Node

__all__ = [
    "BadFilter",
    "BadPatch",
    "Draft",
    "GraphView",
    "InvalidModel",
    "Model",
    "NoEndpoint",
    "Page",
    "PreconditionFailed",
    "Relationship",
    "TooLong",
    "Twin",
    "Unparsable",
    "instant",
]

Item = TypeVar("Item")


@final
@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some of a list. after: the key to go on from; None at the end."""

    items: tuple[Item, ...]
    after: str | None


@final
class GraphView:
    """Twins, relationships, models, routes and jobs, as `who` may see and change them."""

    def __init__(self, node: "Node", who: Principal) -> None:
        self._node = node
        self._graph = node.graph
        self._rights = node.rights
        self.who = who

    # ---- reads

    def find_twin(self, twin_id: str) -> Twin | None:
        """That twin; None if there is none, or none for `who`."""
        if not self._rights.may(self.who, "read", f"twin:{twin_id}"):
            return None
        return self._graph.find_twin(twin_id)

    def twin(self, twin_id: str) -> Twin:
        """That twin. Raises NotFound."""
        found = self.find_twin(twin_id)
        if found is None:
            raise NotFound(f"there is no digital twin {twin_id[:140]!r}")
        return found

    def has_component(self, twin: Twin, name: str) -> bool:
        """Does the twin's model declare a component of that name?"""
        model = self._graph.models().interfaces.get(twin.model)
        return model is not None and isinstance(model.contents.get(name), Component)

    def relationship(self, source: str, relationship_id: str) -> Relationship | None:
        """That edge, if there is one. Raises NotFound without the twin."""
        self.twin(source)
        return self._graph.find_relationship(source, relationship_id)

    def relationships(self, twin_id: str, name: str | None, after: str | None, limit: int) -> Page[Relationship]:
        """The edges that start at a twin, those called `name` if that is given, by id."""
        self.twin(twin_id)
        edges = self._graph.relationships_after(twin_id, name, after or "", limit + 1)
        return Page(tuple(edges[:limit]), edges[limit - 1].id if len(edges) > limit else None)

    def incoming(self, twin_id: str, after: str | None, limit: int) -> Page[Relationship]:
        """The edges that end at a twin, by source and id."""
        self.twin(twin_id)
        source, _, edge_id = (after or "").partition("/")
        seen: list[Relationship] = []
        while len(seen) <= limit:
            more = self._graph.incoming_after(twin_id, source, edge_id, limit + 1)
            seen += [each for each in more if self._rights.may(self.who, "read", f"twin:{each.source}")]
            if len(more) <= limit:
                break
            source, edge_id = more[-1].source, more[-1].id
        last = seen[limit - 1] if len(seen) > limit else None
        return Page(tuple(seen[:limit]), None if last is None else f"{last.source}/{last.id}")

    def model(self, dtmi: str) -> Model:
        """That type, as it was put. Raises NotFound."""
        demand(self._rights, self.who, "read", "models")
        found = self._graph.model_facts([dtmi])
        if not found:
            raise NotFound(f"there is no model {dtmi[:140]!r}")
        return found[0]

    def models(self, dependencies_for: Sequence[str], after: str | None, limit: int) -> Page[Model]:
        """All types, by id; with `dependencies_for`, those and what they extend or contain."""
        demand(self._rights, self.who, "read", "models")
        interfaces = self._graph.models().interfaces
        wanted: set[str] = set()
        for dtmi in dependencies_for:
            self.model(dtmi)
        left = list(dependencies_for)
        while left:
            dtmi = left.pop()
            if dtmi in wanted or dtmi not in interfaces:
                continue
            wanted.add(dtmi)
            interface = interfaces[dtmi]
            left += interface.extends
            left += [each.schema for each in interface.own.values() if isinstance(each, Component)]
        ids = sorted(wanted) if dependencies_for else sorted(interfaces)
        page = _page(ids, ids, after, limit)
        return Page(tuple(self._graph.model_facts(page.items)), page.after)

    async def query(self, text: str | None, after: str | None, limit: int) -> Rows:
        """The rows that a query finds. Raises Unparsable, which says where, and TooLong."""
        demand(self._rights, self.who, "read", "query")
        return await ask(self._graph, text, limit=limit, after=after)

    # ---- jobs

    def jobs(self, kind: str, after: str | None, limit: int) -> Page[dict[str, JSON]]:
        """The jobs of a kind (`import`, `delete`), by id."""
        demand(self._rights, self.who, "read", "jobs")
        found = self._node.jobs.all(kind)
        return _page(found, [str(job["id"]) for job in found], after, limit)

    def job(self, kind: str, job_id: str) -> dict[str, JSON]:
        """One job. Raises NotFound."""
        demand(self._rights, self.who, "read", "jobs")
        return self._node.jobs.get(kind, job_id)

    async def add_job(self, kind: str, job_id: str, more: dict[str, JSON]) -> dict[str, JSON]:
        """Begin a job. Raises Invalid for what cannot be one, Conflict for an id that is taken."""
        demand(self._rights, self.who, "write", "jobs")
        return await self._node.jobs.add(self.who, kind, job_id, more)

    async def cancel_job(self, job_id: str) -> dict[str, JSON]:
        """Let an import end where it is."""
        demand(self._rights, self.who, "write", "jobs")
        return await self._node.jobs.cancel(self.who, job_id)

    async def delete_job(self, job_id: str) -> None:
        """Forget an import that is over."""
        demand(self._rights, self.who, "write", "jobs")
        await self._node.jobs.delete(self.who, job_id)

    # ---- event routes

    def routes(self, after: str | None, limit: int) -> Page[tuple[str, dict[str, JSON]]]:
        """All event routes, by name."""
        demand(self._rights, self.who, "read", "routes")
        found = sorted(self._graph.records("route").items())
        return _page(found, [name for name, _ in found], after, limit)

    def route(self, name: str) -> dict[str, JSON]:
        """One event route. Raises NotFound."""
        demand(self._rights, self.who, "read", "routes")
        found = self._graph.records("route").get(name)
        if found is None:
            raise NotFound(f"there is no event route {name[:140]!r}")
        return found

    def route_states(self) -> dict[str, RouteState]:
        """How each event route does."""
        demand(self._rights, self.who, "read", "routes")
        return dict(self._node.routes.states)

    async def put_route(self, name: str, endpoint: str, text: str) -> None:
        """Make or change an event route. Raises NoEndpoint, BadFilter, or Invalid for its name."""
        demand(self._rights, self.who, "write", "routes")
        await self._node.routes.put(self.who, name, endpoint, text)

    async def delete_route(self, name: str) -> None:
        """End an event route. Raises NotFound."""
        demand(self._rights, self.who, "write", "routes")
        await self._node.routes.delete(self.who, name)

    # ---- writes

    async def write(self, draft: Draft, if_match: int | str | None = None, *, if_none: bool = False) -> Written:
        """Append a decision; once every read sees it, its index."""
        demand(self._rights, self.who, "write", draft.subject)
        return await self._node.writer.write(self.who, draft, if_match, if_none=if_none)

    async def put_models(self, documents: Sequence[JSON]) -> list[Model]:
        """Add types, all or none, whatever their order. Raises InvalidModel, or Conflict if one is there."""
        demand(self._rights, self.who, "write", "models")
        before = self._graph.models()
        there = [each["@id"] for each in documents if isinstance(each, dict) and each.get("@id") in before.interfaces]
        if there:
            raise Conflict(f"model {there[0]} exists already; give the changed one a higher version")
        made = parse(documents, before).interfaces
        new = [name for name in made if name not in before.interfaces]
        drafts = [Draft("model.put", f"model:{name}", dict(made[name].document)) for name in new]
        if drafts:
            await self._node.writer.write_all(self.who, drafts)
        facts = {each.id: each for each in self._graph.model_facts(new)}
        return [facts[name] for name in new if name in facts]


def _page(items: Sequence[Item], keys: Iterable[str], after: str | None, limit: int) -> Page[Item]:
    """The items whose keys, which rise, are beyond `after`; at most `limit`."""
    keyed = list(zip(keys, items, strict=True))
    if after is not None:
        keyed = [pair for pair in keyed if pair[0] > after]
    more = len(keyed) > limit
    return Page(tuple(item for _, item in keyed[:limit]), keyed[limit - 1][0] if more else None)


def interesting(values: Mapping[str, JSON]) -> dict[str, JSON]:
    """A twin's or relationship's own properties, without what the system adds."""
    return {name: value for name, value in values.items() if not name.startswith("$")}
