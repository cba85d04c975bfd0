"""A set of interfaces in which every reference leads somewhere."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import final

from ectype.errors import NotFound
from ectype.model.interface import Interface
from ectype.model.schema import JSON


@final
@dataclass(frozen=True, slots=True)
class Models:
    """Interfaces by id, each after all that it extends or contains."""

    interfaces: Mapping[str, Interface] = field(default_factory=dict[str, Interface])

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


def suggest(wrong: str, names: Mapping[str, object] | list[str]) -> str:
    """`; did you mean 'x'?` if one of `names` is close to `wrong`, else what there is."""
    close = get_close_matches(wrong[:140], list(names)[:2000], n=1, cutoff=0.7)
    if close:
        return f"; did you mean {close[0]!r}?"
    listed = ", ".join(sorted(names)[:12])
    return f"; there is {listed}{', …' if len(names) > 12 else ''}" if listed else "; there is none yet"
