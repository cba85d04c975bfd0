"""People's behaviours in the estimator's process: which twins each follows, and what is said of them.

    behaviours.find ─► who follows whom (assigned.py) ─► Following.advance ─► estimates ─► forecasts ─► watchers
                                                               │
                                       an exception: these twins are dropped, the others go on

What is told of a twin belongs to the group of its behaviour, whatever it stands in: a group's entries come from the
twins that stand alone and from plants.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import final

from ectype.estimate.behaviour import Behaviour
from ectype.estimate.plant import Kind
from ectype.estimate.wiring import some
from ectype.node.assigned import assigned, fitting, together
from ectype.node.behaviours import Wrong, files_begin, find, sentence
from ectype.node.estimator_followed import Followed
from ectype.node.estimator_told import entries, group_of
from ectype.node.pipe import Begin, Draft, Trouble
from ectype.node.signs_of_life import Beating
from ectype.values.block import Block


@final
class Live:
    """All of people's behaviours that follow a twin of this space."""

    def __init__(self, begin: Begin, snapshots: Mapping[str, bytes]) -> None:
        folder = None if begin.behaviours is None else Path(begin.behaviours)
        code = [] if folder is None else files_begin(folder)
        self._signs = None if begin.running is None else Beating(Path(begin.running), code, begin.beat_s)
        found, wrong = ([], []) if folder is None else find(folder, begin.skip, self._mark)
        self._where = {f.behaviour: f.where for f in found}
        self._records = {twin.id: twin for twin in begin.twins}
        self._following: dict[str, Followed] = {}
        alone: dict[type[Behaviour], list[str]] = {}
        follows = fitting(found, begin.twins, begin.kinds, wrong)
        for kind in assigned(found, follows, begin.links, wrong, begin.skip, self._mark):
            if kind.parts == ("",) or not self._begin(kind, begin, snapshots, wrong):
                for member, *each in zip(kind.members, *kind.plants, strict=True):
                    alone.setdefault(member, []).extend(each)
        for behaviour, twins in alone.items():
            self._begin(Kind.alone(behaviour, sorted(twins)), begin, snapshots, wrong)
        self._mark("")
        self._troubles = [Trouble(w.where, w.text) for w in wrong]
        self._seen = dict.fromkeys(self.groups, 0 if self.fresh else begin.position)

    @property
    def twins(self) -> list[str]:
        """The ids of all that are followed."""
        return [twin for f in self._following.values() for plant in f.kind.plants for twin in plant]

    @property
    def plants(self) -> list[list[str]]:
        """The twins of each plant that is followed as one."""
        return [list(p) for f in self._following.values() for p in f.kind.plants if len(p) > 1]

    @property
    def fresh(self) -> bool:
        """Whether one of them needs the log from the start."""
        return any(f.fresh for f in self._following.values())

    @property
    def parameters(self) -> list[str]:
        """Properties that parameters are read from."""
        layouts = [member.layout for f in self._following.values() for member in f.kind.members]
        return sorted({p.property for layout in layouts for p in (*layout.constants, *layout.tracked)})

    @property
    def groups(self) -> list[str]:
        """What their drafts belong to."""
        return list(dict.fromkeys(group_of(m) for f in self._following.values() for m in f.kind.members))

    def advance(self, block: Block, through: int) -> tuple[list[Draft], int]:
        """(what follows from measurements up to log index `through`, rows that were too late)."""
        told: dict[str, list[Block]] = {}
        found: dict[str, list[Draft]] = {}
        late = 0
        for key, followed in list(self._following.items()):
            if through <= followed.skip_to:
                continue
            self._mark(followed.where)
            try:
                blocks, drafts, missed = followed.advance(block)
            except Exception as error:  # noqa: BLE001  somebody's code may raise anything; the others go on
                del self._following[key]
                self._trouble(followed, f"{_whose(followed.kind)} are not followed any more: {sentence(error)}")
                continue
            late += missed
            for member, estimated in zip(followed.kind.members, blocks, strict=True):
                told.setdefault(group_of(member), []).append(estimated)
            for draft in drafts:
                found.setdefault(draft.group, []).append(draft)
            for plant in followed.lost():
                text = "no number any more; bound its states with low= and high=, or correct it"
                self._trouble(followed, f"the belief of {' and '.join(plant)} is {text}")
        self._mark("")
        out: list[Draft] = []
        for group, blocks in told.items():
            if group in found or any(map(len, blocks)):
                out += entries(group, blocks, found.get(group, ()), through, self._seen[group])
            self._seen[group] = through
        return out, late

    def snapshots(self) -> dict[str, bytes]:
        """By kind."""
        return {key: f.snapshot() for key, f in self._following.items()}

    def _begin(self, kind: Kind, begin: Begin, snapshots: Mapping[str, bytes], wrong: list[Wrong]) -> bool:
        """Whether it is followed."""
        where = together(self._where[member] for member in kind.members)
        alone = kind.parts == ("",)
        how = "its twins are not followed" if alone else f"{_whose(kind)} are followed one by one, not as plants"
        if where in begin.skip:
            wrong.append(Wrong(where, f"{how}: {begin.skip[where]}"))
            return False
        self._mark(where)
        try:
            snapshot = snapshots.get(kind.key)
            self._following[kind.key] = Followed(kind, where, self._records, begin, snapshot, wrong)
        except Exception as error:  # noqa: BLE001  as in advance
            wrong.append(Wrong(where, f"{how}: {sentence(error)}"))
            return False
        return True

    def _trouble(self, followed: Followed, text: str) -> None:
        self._troubles.append(Trouble(followed.where, text))

    def _mark(self, where: str) -> None:
        """Whose code runs next, should the process die of it or hang in it."""
        if self._signs is not None:
            self._signs.mark(where)

    def troubles(self) -> list[Trouble]:
        """What went wrong since this was asked last."""
        for followed in self._following.values():
            self._troubles += [Trouble(followed.where, text) for text in followed.watchers.wrong()]
        told, self._troubles = self._troubles, []
        return told


def _whose(kind: Kind) -> str:
    return "its twins" if kind.parts == ("",) else some([" + ".join(plant) for plant in kind.plants])
