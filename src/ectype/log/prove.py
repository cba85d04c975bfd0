"""A proof that fits into a mail: one entry, its audit path and a signed checkpoint, checked offline by anybody.

The text is a C2SP tlog-proof (https://c2sp.org/tlog-proof). Its `extra` line carries the entry's header, which is the
leaf itself, so that the verifier key is all that a reader must know beforehand:

    c2sp.org/tlog-proof@v1
    extra eyJhdF9ucyI6…             the header
    index 73894
    gSKyXoYZUgZ6jduWYrkDOARi…       the audit path, lowest first

    example.com/log                 the checkpoint
    …
"""

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, final

from ectype.errors import Invalid, NotFound, ProofFailed
from ectype.log.entry import Entry, check_entry, parse_entry
from ectype.trust.checkpoint import Checkpoint, parse_checkpoint, parse_vkey, verify_checkpoint
from ectype.trust.merkle import check_inclusion, leaf_hash

_FIRST = "c2sp.org/tlog-proof@v1"


class Provable(Protocol):
    """A Log, or a LogView."""

    def read(self, start: int, stop: int | None = None) -> Iterator[tuple[int, Entry]]:
        """The entries with indices in [start, stop)."""
        ...

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """The audit path of an entry."""
        ...

    def checkpoint(self) -> str:
        """A signed checkpoint."""
        ...


@final
@dataclass(frozen=True, slots=True)
class Proof:
    """The parts of a tlog-proof, read but not checked."""

    index: int
    path: tuple[bytes, ...]
    note: str
    extra: bytes | None = None

    def __str__(self) -> str:
        lines = [_FIRST]
        if self.extra is not None:
            lines.append(f"extra {b64encode(self.extra).decode()}")
        lines.append(f"index {self.index}")
        lines += [b64encode(node).decode() for node in self.path]
        return "\n".join([*lines, "", self.note])


@final
@dataclass(frozen=True, slots=True)
class Proved:
    """What a proof has shown: this entry is number `index` of the log that the checkpoint speaks of."""

    index: int
    entry: Entry
    checkpoint: Checkpoint


def prove(log: Provable, index: int) -> str:
    """The tlog-proof of entry `index` at the log's checkpoint. NotFound if that does not cover it (yet)."""
    note = log.checkpoint()
    size = parse_checkpoint(note).size
    if not 0 <= index < size:
        raise NotFound(f"entry {index} is not among the {size} that the newest checkpoint covers")
    ((_, entry),) = log.read(index, index + 1)
    return str(Proof(index, tuple(log.inclusion(index, size)), note, entry.header))


def parse_proof(text: str) -> Proof:
    """The parts of a tlog-proof. Invalid if it is none."""
    head, empty, note = text.partition("\n\n")
    lines = head.split("\n")
    if lines[0] != _FIRST or not empty:
        raise Invalid(f"this is no proof: it must begin with '{_FIRST}'")
    extra = None
    if len(lines) > 1 and lines[1].startswith("extra "):
        extra = _base64(lines.pop(1)[6:])
    number = lines[1].removeprefix("index ") if len(lines) > 1 else ""
    if len(lines) < 2 or lines[1] == number or not number.isascii() or not number.isdecimal() or len(number) > 19:
        raise Invalid("this is no proof: it does not say of which index it is")
    if str(int(number)) != number:
        raise Invalid("this is no proof: its index has leading zeros")
    path = tuple(_base64(line) for line in lines[2:])
    if any(len(node) != 32 for node in path):
        raise Invalid("this is no proof: a hash of its path has not 32 bytes")
    return Proof(int(number), path, note, extra)


def check_proof(text: str, vkey: str, *, salt: bytes | None = None, body: bytes | None = None) -> Proved:
    """Prove offline that the entry in `text` is in the log whose verifier key is `vkey`, and signed by its author.

    With `salt` and `body` also that this is its body. Raises ProofFailed if not, Invalid if it is no such proof.
    """
    proof = parse_proof(text)
    if proof.extra is None:
        raise Invalid("this proof does not carry the entry's header, so it does not say what is proved")
    checkpoint = verify_checkpoint(proof.note, parse_vkey(vkey))
    try:
        entry = parse_entry(proof.extra, salt or b"", body)
    except Invalid as error:
        raise ProofFailed(f"what is proved is no entry: {error}") from error
    check_inclusion(leaf_hash(proof.extra), proof.index, checkpoint.size, proof.path, checkpoint.root)
    check_entry(entry)
    return Proved(proof.index, entry, checkpoint)


def _base64(text: str) -> bytes:
    try:
        data = b64decode(text, validate=True)
    except (Base64Error, ValueError) as error:
        raise Invalid(f"{text[:100]!r} is no base64") from error
    if b64encode(data).decode() != text:
        raise Invalid(f"{text[:100]!r} is not how base64 writes that")
    return data
