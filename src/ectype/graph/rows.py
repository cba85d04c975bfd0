"""How a change becomes rows: everything that is written into the graph's tables is written here."""

import sqlite3
from collections.abc import Callable, Mapping
from typing import final

import msgspec

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
from ectype.graph.facts import Time, Twin
from ectype.model.interface import Component, Property
from ectype.model.schema import JSON

_text: Callable[[object], bytes] = msgspec.json.Encoder().encode
_sorted: Callable[[object], bytes] = msgspec.json.Encoder(order="deterministic").encode

_NEW_TWIN = (
    "INSERT INTO twins(id, model, properties, last_index, part, at_ns, put_ns, times) VALUES(?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT(id) DO NOTHING"
)
_OLD_TWIN = (
    "UPDATE twins SET model = ?2, properties = ?3, last_index = ?4, part = ?5, at_ns = ?6, put_ns = ?7, times = ?8"
    " WHERE id = ?1"
)
_NEW_EDGE = (
    "INSERT INTO relationships(source, id, name, target, properties, last_index, part, at_ns)"
    " SELECT s.key, ?2, ?3, t.key, ?5, ?6, ?7, ?8 FROM twins s, twins t WHERE s.id = ?1 AND t.id = ?4"
    " ON CONFLICT(source, id) DO NOTHING"
)
_OLD_EDGE = (
    "UPDATE relationships SET name = ?3, target = (SELECT key FROM twins WHERE id = ?4), properties = ?5,"
    " last_index = ?6, part = ?7, at_ns = ?8 WHERE source = (SELECT key FROM twins WHERE id = ?1) AND id = ?2"
)

TwinRow = tuple[str, int, str, int, int | None, int, int, str | None]
EdgeRow = tuple[str, str, str, str, str, int, int | None, int]


@final
class Names(msgspec.Struct):
    """What twins of a model may have: the column `names`."""

    properties: set[str] = msgspec.field(default_factory=set[str])
    components: set[str] = msgspec.field(default_factory=set[str])


_PATCHED = "UPDATE twins SET model = ?, properties = ?, last_index = ?, part = NULL, at_ns = ?, times = ? WHERE id = ?"


@final
class Rows:
    """Writes changes. `twins` and `relationships`: how many there are."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._keys: dict[str, int] = {}
        self.twins = 0
        self.relationships = 0
        self.reload()

    def reload(self) -> None:
        """Count as the file says."""
        self._keys.clear()
        self.twins, self.relationships = self._db.execute("SELECT twins, relationships FROM state").fetchone()

    def write(self, change: Change, index: int, at_ns: int) -> int:
        """Make `change`, which entry `index` asks for, so. Returns how many rows that touched, about.

        A PutTwin puts the whole twin, whatever it says of what it touched; for one that does not there is `patch`.
        """
        run = self._db.execute
        match change:
            case PutTwin():
                self._put_twins([self._twin(change, index, None, at_ns)])
            case DeleteTwin(twin_id):
                self.twins -= run("DELETE FROM twins WHERE id = ?", (twin_id,)).rowcount
                # Nobody is left to end its alarms.
                run(
                    "UPDATE alarms SET until_ns = max(since_ns, ?) WHERE twin = ? AND until_ns IS NULL",
                    (at_ns, twin_id),
                )
            case PutRelationship():
                self._put_edges([_edge(change, index, None, at_ns)])
            case DeleteRelationship(source, edge):
                self.relationships -= run(
                    "DELETE FROM relationships WHERE source = (SELECT key FROM twins WHERE id = ?) AND id = ?",
                    (source, edge),
                ).rowcount
            case PutBlock(twins, edges, faults):
                self._put_twins([self._twin(each, index, part, at_ns) for part, each in enumerate(twins)])
                first = len(twins)
                self._put_edges([_edge(each, index, part, at_ns) for part, each in enumerate(edges, first)])
                if faults:
                    reason = f"{len(faults)} of its rows cannot be: {_first(faults)}"
                    run("INSERT INTO rejected VALUES(?, ?, ?, ?)", (index, "graph.put", "import:", reason))
                return first + len(edges)
            case Clear():
                for table in ("relationships", "twins", "models"):
                    run(f"DELETE FROM {table}")  # noqa: S608
                run("UPDATE alarms SET until_ns = max(since_ns, ?) WHERE until_ns IS NULL", (at_ns,))
                self.twins = self.relationships = 0
                self._keys.clear()
            case PutAlarm():
                self._put_alarm(change, index)
            case PutRecord(kind, name, body):
                run("INSERT OR REPLACE INTO records VALUES(?, ?, ?, ?, ?)", (kind, name, as_json(body), index, at_ns))
            case DeleteRecord(kind, name):
                run("DELETE FROM records WHERE kind = ? AND name = ?", (kind, name))
            case PutModel() | DeleteModel() | DecommissionModel():
                self._write_model(change, index, at_ns)
        return 1

    # ---- models

    def _write_model(self, change: PutModel | DeleteModel | DecommissionModel, index: int, at_ns: int) -> None:
        match change:
            case PutModel(dtmi, document, models):
                contents = models.interface(dtmi).contents
                names = self._names(dtmi)  # twins of a model that was deleted may still have what it declared
                names.properties |= {name for name, each in contents.items() if isinstance(each, Property)}
                names.components |= {name for name, each in contents.items() if isinstance(each, Component)}
                self._db.execute(
                    "INSERT INTO models(id, document, names, last_index, at_ns) VALUES(?, ?, ?, ?, ?)"
                    " ON CONFLICT(id) DO UPDATE SET document = excluded.document, names = excluded.names,"
                    " last_index = excluded.last_index, at_ns = excluded.at_ns, decommissioned = 0, deleted = 0",
                    (dtmi, as_json(document), _sorted(names).decode(), index, at_ns),
                )
            case DeleteModel(dtmi):
                self._db.execute("UPDATE models SET deleted = 1, last_index = ? WHERE id = ?", (index, dtmi))
            case DecommissionModel(dtmi, decommissioned):
                self._db.execute(
                    "UPDATE models SET decommissioned = ?, last_index = ? WHERE id = ?", (decommissioned, index, dtmi)
                )

    def _names(self, dtmi: str) -> Names:
        row = self._db.execute("SELECT names FROM models WHERE id = ?", (dtmi,)).fetchone()
        return Names() if row is None else read_names(row[0])

    def _key(self, model: str) -> int:
        if model not in self._keys:
            (self._keys[model],) = self._db.execute("SELECT key FROM models WHERE id = ?", (model,)).fetchone()
        return self._keys[model]

    # ---- twins and relationships

    def _twin(self, put: PutTwin, index: int, part: int | None, at_ns: int) -> TwinRow:
        sources = put.source_times
        times = _text({name: (at_ns, at) for name, at in sources.items()}).decode() if sources else None
        return put.id, self._key(put.model), as_json(put.properties), index, part, at_ns, at_ns, times

    def _put_twins(self, rows: list[TwinRow]) -> None:
        made = self._db.executemany(_NEW_TWIN, rows).rowcount
        self.twins += made
        if made < len(rows):
            self._db.executemany(_OLD_TWIN, rows)

    def _put_edges(self, rows: list[EdgeRow]) -> None:
        made = self._db.executemany(_NEW_EDGE, rows).rowcount
        self.relationships += made
        if made < len(rows):
            self._db.executemany(_OLD_EDGE, rows)

    def patch(self, twin: Twin, properties: str) -> None:
        """Let the row of a twin that was patched say what `twin` says; `properties`: those as JSON."""
        times = _text(twin.times).decode() if twin.times else None
        row = (self._key(twin.model), properties, twin.last_index, twin.at_ns, times, twin.id)
        self._db.execute(_PATCHED, row)

    # ---- alarms

    def _put_alarm(self, alarm: PutAlarm, index: int) -> None:
        row = (alarm.severity, alarm.text, alarm.since_ns, alarm.until_ns, alarm.cost_kwh)
        row = (*row, alarm.why, alarm.twin, alarm.name)
        changed = self._db.execute(
            "UPDATE alarms SET severity = ?, text = ?, since_ns = ?, until_ns = ?, cost_kwh = ?, why = ?"
            " WHERE twin = ? AND name = ? AND until_ns IS NULL",
            row,
        )
        if not changed.rowcount:
            self._db.execute(
                "INSERT INTO alarms(severity, text, since_ns, until_ns, cost_kwh, why, twin, name, id)"
                " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*row, index),
            )


def patched(
    before: Twin, patch: PutTwin, properties: Mapping[str, JSON], index: int, at_ns: int, components: frozenset[str]
) -> Twin:
    """The twin that entry `index` makes of `before`; properties: those of `patch`, as they are read from a row."""
    times = {name: at for name, at in before.times.items() if name in properties}
    for name in (patch.touched or frozenset()) & properties.keys():
        times[name] = at_ns
    for name, source in patch.source_times.items():
        if name in properties:
            at = times.get(name, at_ns)
            times[name] = (at if isinstance(at, int) else at[0], source)
    return Twin(before.id, patch.model, properties, index, at_ns, None, before.put_ns, times, components)


def as_json(value: Mapping[str, JSON]) -> str:
    """The text of a JSON column."""
    return _text(value).decode()


_times_decoder = msgspec.json.Decoder(dict[str, int | tuple[int, str]])


def read_times(text: str) -> dict[str, Time]:
    """What the column `times` says."""
    return _times_decoder.decode(text)


def read_names(text: str) -> Names:
    """What the column `names` says."""
    return msgspec.json.decode(text, type=Names)


def _edge(put: PutRelationship, index: int, part: int | None, at_ns: int) -> EdgeRow:
    return put.source, put.id, put.name, put.target, as_json(put.properties), index, part, at_ns


def _first(faults: tuple[RowFault, ...]) -> str:
    first = faults[0]
    return f"{first.list}[{first.row}] {first.id}: {first.reason}"
