"""What can go wrong, sorted by what the caller can do about it.

    EctypeError
    ├── Unavailable     try later: a peer, a disk or a process is away
    ├── Refused         do not: it is not allowed, and trying again will not help
    ├── Misconfigured   a setting is wrong; the message names it and says what to write
    ├── Invalid         data breaks its model or its format
    │   └── Damaged     bytes that were once right are not any more
    ├── Conflict        somebody appended first; read again, then decide
    ├── NotFound        nothing by that name
    └── ProofFailed     a proof, a signature or a root does not lead where it claims

A message says what happened, where, and the way out, in one sentence a tired operator can act on.
"""


class EctypeError(Exception):
    """Base of everything Ectype raises on purpose."""


class Unavailable(EctypeError):
    """Something needed is away just now; the same call may work later."""


class Refused(EctypeError):
    """The caller may not do this."""


class Misconfigured(EctypeError):
    """A setting is wrong; the message names it."""


class Invalid(EctypeError):
    """Data breaks its model or its format."""


class Damaged(Invalid):
    """Stored bytes are no longer what was written. Never read past them in silence."""


class Conflict(EctypeError):
    """Somebody else appended first.

    `actual` is the last index of the contested subject (None: it has no entry).
    """

    def __init__(self, message: str, actual: int | None = None) -> None:
        super().__init__(message)
        self.actual = actual


class NotFound(EctypeError):
    """Nothing by that name."""


class ProofFailed(EctypeError):
    """A proof, signature or root does not hold."""
