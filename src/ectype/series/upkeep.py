"""The files of a history in its folder, and the work beside on them: what is past goes into tiers, what is in many
files is merged, what is gone is left out. One piece of work at a time, in a thread of its own; whatever it makes
counts when it is adopted, and is written again from the start if it was interrupted before a snapshot named it.
"""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias, final

import numpy as np

from ectype.errors import Damaged
from ectype.series.compaction import Compaction, Sizes, Wanted, due
from ectype.series.part import Part, PartInfo, open_part
from ectype.series.part_writer import merge_parts
from ectype.series.retire import Retired, retire
from ectype.series.run import Run
from ectype.series.tier import PER_SERIES
from ectype.series.tier_file import merge_tiers, tier_id
from ectype.series.tiers import FIRST_NS, Tiers, Which, gone_part

_List: TypeAlias = "tuple[int | None, list[Part | Run] | list[Part], Which | None]"
_log = logging.getLogger("ectype.series")


@final
class Upkeep:
    """Of the parts `old` and the tiers of series that are called `names`, which are changed in place.

    id_of: the id of a series by name. files: how many were ever named. dead: files that no snapshot needs to name.
    """

    def __init__(
        self,
        folder: Path,
        sizes: Sizes,
        executor: Executor | None,
        names: Sequence[str],
        old: list[Part | Run],
        tiers: Tiers,
        id_of: Callable[[str], int],
    ) -> None:
        self.files = 0
        self.dead: list[PartInfo] = []
        self._folder = folder
        self._sizes = sizes
        self._names = names
        self._old = old
        self._tiers = tiers
        self._id_of = id_of
        self._compaction = Compaction(executor)
        self._retired = False  # whether the last work put what is past into tiers

    def new_file(self, kind: str) -> Path:
        """A name that no file had before."""
        self.files += 1
        return self._folder / f"{kind}-{self.files:08d}.parquet"

    def open_part(self, info: PartInfo) -> Part:
        """A part or a run."""
        return open_part(self._folder, info, self._id_of)

    def open_tier(self, info: PartInfo) -> Part:
        """A file of tiers."""
        return open_part(self._folder, info, lambda name: tier_id(name, self._id_of))

    def sweep(self, named: set[str], snapshots: bool) -> None:
        """Delete files that no snapshot names: half-made ones, and those of a history that was thrown away."""
        for path in self._folder.iterdir():
            stray = path.suffix == ".parquet" and path.name not in named
            if stray or path.suffix == ".new" or (path.suffix == ".snapshot" and not snapshots):
                path.unlink(missing_ok=True)

    def delete(self) -> None:
        """Delete what is dead, as no snapshot names it any more."""
        dead, self.dead = self.dead, []
        for info in dead:
            (self._folder / info.file).unlink(missing_ok=True)

    def close(self) -> None:
        """Give up what is being made."""
        self._compaction.close()

    @property
    def done(self) -> bool:
        """Whether something was made that is to be adopted."""
        return self._compaction.done

    def wait(self) -> bool:
        """Until what is being made is there; False if nothing is."""
        self._compaction.wait()
        return self._compaction.running

    def work(self, now_ns: int | None, memory: Callable[[], Sequence[Run]]) -> None:
        """Adopt what was made beside, and begin what is to be done next. memory: the runs that are in no part."""
        while True:
            if self._compaction.running and not (self._compaction.done and self._adopt()):
                return
            # What is past and what is in many files take turns, so that neither waits for ever when rows come fast.
            self._retired = (
                not (self._retired and self._merge_any(now_ns)) and self._tiers.any and self._retire(now_ns, memory)
            )
            if not self._compaction.running:
                _ = self._rewrite(now_ns) or self._merge_any(now_ns)
            if not self._compaction.done:
                return

    def _adopt(self) -> bool:
        try:
            self._compaction.take()
        except (OSError, ValueError, Damaged) as error:  # pyarrow's errors are of these
            _log.warning("files of the history could not be merged, so they stay as they are for now: %s", error)
            return False
        return True

    def _retire(self, now_ns: int | None, memory: Callable[[], Sequence[Run]]) -> bool:
        """Begin to put samples that are past into tiers, once they are a fifth of all, or many came late."""
        tiers, sizes = self._tiers, self._sizes
        bounds = tiers.due(now_ns)
        parts = [part for part in self._old if isinstance(part, Part)]
        past = sum(part.rows * (gone_part(part, bounds) - gone_part(part, tiers.gone)) for part in parts)
        if tiers.late.rows < sizes.run and past < max(sizes.part, 0.2 * sum(part.rows for part in parts)):
            return False
        sight = replace(tiers.sight(parts, memory()), late=tiers.late.after(0))
        files = {
            every_ns: (self.new_file("tier"), tiers.with_tier(every_ns), tiers.kept(every_ns, now_ns))
            for every_ns in tiers.past
        }
        names, row_group = list(self._names), sizes.row_group
        self._compaction.begin(
            lambda wanted: retire(sight, names, bounds, files, row_group, wanted), self._adopt_retired
        )
        return True

    def _adopt_retired(self, retired: Retired) -> None:
        tiers = self._tiers
        made = {every_ns: self.open_tier(info) for every_ns, info in retired.tiers.items()}
        for every_ns, part in made.items():
            tiers.past[every_ns].append(part)
        tiers.late = tiers.late.after(retired.late)
        gone = tiers.gone.copy()  # whoever looks at it in another thread sees it as it was
        gone[: len(retired.due)] = np.maximum(gone[: len(retired.due)], retired.due)
        tiers.gone = gone
        self._drop(self._old, 1)
        for parts in tiers.live.values():
            self._drop(parts, PER_SERIES)

    def _drop(self, parts: "list[Part | Run] | list[Part]", per_series: int) -> None:
        """Let go of the files of which nothing counts any more."""
        for number in reversed(range(len(parts))):
            part = parts[number]
            if isinstance(part, Part) and gone_part(part, self._tiers.gone, per_series) == 1.0:
                del parts[number]
                self.dead.append(part.info)

    def _rewrite(self, now_ns: int | None) -> bool:
        """Begin to write a part anew without the rows that are gone, if these are more than half."""
        if not self._tiers.any:
            return False
        for number, part in enumerate(self._old):
            if isinstance(part, Part) and gone_part(part, self._tiers.gone) > 0.5:
                self._merge(None, self._old, None, slice(number, number + 1), now_ns)
                return True
        return False

    def _merge_any(self, now_ns: int | None) -> bool:
        """Begin to merge files if there are many of one size."""
        tiers = self._tiers
        lists: list[_List] = [(None, self._old, None)]
        for every_ns in tiers.live:
            lists.append((every_ns, tiers.live[every_ns], "live"))
            lists.append((every_ns, tiers.past[every_ns], "past"))
        for every_ns, parts, which in lists:
            some = due([part.rows for part in parts if isinstance(part, Part)], self._sizes)
            if some is not None:
                self._merge(every_ns, parts, which, some, now_ns)
                return True
        return False

    def _merge(
        self,
        every_ns: int | None,
        parts: "list[Part | Run] | list[Part]",
        which: Which | None,
        some: slice,
        now_ns: int | None,
    ) -> None:
        chosen = [part for part in parts[some] if isinstance(part, Part)]
        names, row_group, tiers = self._names, 2 * self._sizes.row_group, self._tiers
        path = self.new_file("part" if every_ns is None else "tier")
        bounds = tiers.kept(every_ns, now_ns) if every_ns is not None and which == "past" else tiers.gone

        def since(series: int) -> int:
            return int(bounds[series]) if series < len(bounds) else FIRST_NS

        def work(wanted: Wanted) -> PartInfo | None:
            if every_ns is None:
                return merge_parts(path, chosen, names, row_group, wanted, since)
            return merge_tiers(path, chosen, names, every_ns, row_group, wanted, since, add=which == "past")

        def adopt(info: PartInfo | None) -> None:
            made: list[Part] = []
            if info is not None:
                made = [self.open_part(info) if every_ns is None else self.open_tier(info)]
            self.dead += [part.info for part in chosen]
            parts[some] = made

        self._compaction.begin(work, adopt)
