"""A set of interfaces in which every reference leads somewhere."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import final

from ectype.errors import NotFound
from ectype.model.checker import Checker
from ectype.model.interface import Interface
from ectype.model.schema import JSON
from ectype.model.suggest import suggest

__all__ = ["Models", "suggest"]


@final
@dataclass(frozen=True, slots=True)
class Models:
    """Interfaces by id, each after all that it extends or contains."""

    interfaces: Mapping[str, Interface] = field(default_factory=dict[str, Interface])
    _checkers: dict[str, Checker] = field(default_factory=dict[str, Checker], init=False, compare=False, repr=False)

    def interface(self, dtmi: str) -> Interface:
        """The interface of that id. Raises NotFound."""
        found = self.interfaces.get(dtmi)
        if found is None:
            raise NotFound(f"no model {dtmi[:140]!r}{suggest(dtmi, self.interfaces)}")
        return found

    def is_a(self, dtmi: str, base: str) -> bool:
        """Is `dtmi` `base` or one that extends it, directly or not? False if `dtmi` is unknown."""
        found = self.interfaces.get(dtmi)
        return found is not None and base in found.ancestors

    def conforming(self, dtmi: str, *, exact: bool = False) -> frozenset[str]:
        """Ids of the interfaces that are `dtmi`, extend one that is, or are a higher version of one that is.

        exact: `dtmi` alone. Empty if nothing of the kind is known.
        """
        if exact:
            return frozenset({dtmi} & self.interfaces.keys())
        found = {dtmi}
        grown = True
        while grown:
            lowest: dict[str, tuple[int, ...]] = {}
            for each in found:
                stem, version = _version(each)
                lowest[stem] = min(version, lowest.get(stem, version))
            more = {
                each.id
                for each in self.interfaces.values()
                if not found.isdisjoint(each.ancestors) or _not_below(each.id, lowest)
            }
            grown = not more <= found
            found |= more
        return frozenset(found & self.interfaces.keys())

    def checker(self, dtmi: str) -> Checker:
        """What checks twins of `dtmi`, made once and kept. Raises NotFound."""
        found = self._checkers.get(dtmi)
        if found is None:
            found = self._checkers[dtmi] = Checker(self.interfaces, self.interface(dtmi))
        return found

    def to_dict(self) -> dict[str, JSON]:
        """The documents by id, as they were written, in an order in which they can be put again."""
        return {dtmi: dict(interface.document) for dtmi, interface in self.interfaces.items()}

    def to_documents(self) -> list[JSON]:
        """The documents alone, in that order."""
        return list(self.to_dict().values())

    def __contains__(self, dtmi: object) -> bool:
        return dtmi in self.interfaces

    def __iter__(self) -> Iterator[Interface]:
        return iter(self.interfaces.values())

    def __len__(self) -> int:
        return len(self.interfaces)


def _version(dtmi: str) -> tuple[str, tuple[int, ...]]:
    stem, _, version = dtmi.partition(";")
    return stem, tuple(int(part) for part in version.split(".") if part.isdigit())


def _not_below(dtmi: str, lowest: Mapping[str, tuple[int, ...]]) -> bool:
    stem, version = _version(dtmi)
    return stem in lowest and version >= lowest[stem]
