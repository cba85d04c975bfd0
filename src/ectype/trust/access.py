"""Who may do what. One question, asked at one place: the node's view.

Today there is the local user, who may do everything; policies come in behind `Rights` without
moving the place where it is asked.
"""

from dataclasses import dataclass
from typing import Literal, Protocol, final

from ectype.errors import Refused

Verb = Literal["read", "write"]


@final
@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody or something that asks: a person, a device or a service, by name."""

    name: str
    kind: Literal["person", "device", "service"] = "person"


LOCAL_USER = Principal("local user")


class Rights(Protocol):
    """Decides one request. Must be pure and quick: it stands on every hot path.

    `resource` is a path like `space`, `log`, `twin:R80711`, `series:R80711.power`, `doc:note-R80711`.
    """

    def may(self, who: Principal, verb: Verb, resource: str) -> bool:
        """True when `who` may do that."""
        ...


@final
class EverybodyMayAll:
    """The rights of a space on somebody's own machine."""

    def may(self, who: Principal, verb: Verb, resource: str) -> bool:
        """Always."""
        del who, verb, resource
        return True


def demand(rights: Rights, who: Principal, verb: Verb, resource: str) -> None:
    """Raise Refused unless `who` may. The text names only what the asker named."""
    if not rights.may(who, verb, resource):
        raise Refused(f"{who.name} may not {verb} {resource}; ask whoever runs this space for the right")
