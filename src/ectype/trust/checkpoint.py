"""Checkpoints: a log's size and root as a signed note, in the words of C2SP.

    example.com/log                                  the origin: which log
    1234                                             its size
    X3Gd…=                                           its root, base64

    — example.com/log x08go/ZJ…=                     who says so: 4 bytes of key hash, then the signature

https://c2sp.org/signed-note and https://c2sp.org/tlog-checkpoint; the text that is signed ends before the
empty line. A verifier key is `name+hash+key`, as Go's x/mod/sumdb/note writes it.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import final

from ectype.errors import Invalid, ProofFailed
from ectype.trust.keys import Signer, check_signature, to_base64url

_ED25519 = b"\1"
_DASH = "— "
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")


@final
@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A name and an Ed25519 public key (32 bytes), which together sign notes."""

    name: str
    public: bytes

    def __post_init__(self) -> None:
        if not self.name or "+" in self.name or any(c.isspace() or ord(c) < 32 for c in self.name):
            raise Invalid(f"{self.name[:100]!r} cannot name a key: no spaces, no +")

    @property
    def hash(self) -> bytes:
        """The first 4 bytes of SHA-256(name ‖ newline ‖ algorithm ‖ key)."""
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.hash.hex()}+{b64encode(_ED25519 + self.public).decode()}"


def parse_vkey(text: str) -> VerifierKey:
    """The verifier key written as `name+hash+key`. Invalid if it is none, or not of Ed25519."""
    name, _, rest = text.strip().partition("+")
    written, _, key = rest.partition("+")
    data = _base64(key, "verifier key")
    if len(data) != 33 or data[:1] != _ED25519:
        raise Invalid(f"{text[:200]!r} is no Ed25519 verifier key; one looks like name+0a1b2c3d+AbCd…")
    vkey = VerifierKey(name, data[1:])
    if vkey.hash.hex() != written:
        raise Invalid(f"{text[:200]!r}: its hash should be {vkey.hash.hex()}; a character may have got lost")
    return vkey


def sign_note(text: str, signer: Signer, name: str) -> str:
    """`text`, which must end with a newline, with one signature line in the name `name`."""
    if not text.endswith("\n") or _CONTROL.search(text):
        raise Invalid("the text of a note ends with a newline and holds no other control characters")
    vkey = VerifierKey(name, signer.public)
    signature = b64encode(vkey.hash + signer.sign(text.encode())).decode()
    return f"{text}\n{_DASH}{name} {signature}\n"


def open_note(note: str, keys: Sequence[VerifierKey]) -> str:
    """The text of a note that at least one of `keys` signed.

    Signatures of other keys are passed over. Raises ProofFailed when none of ours is there or one is wrong,
    Invalid when it is no note.
    """
    split = note.rfind("\n\n")
    if split < 0 or not note.endswith("\n") or _CONTROL.search(note):
        raise Invalid("this is no signed note: an empty line must stand between its text and its signatures")
    text, lines = note[: split + 1], note[split + 2 : -1].split("\n")
    known = {(key.name, key.hash): key for key in keys}
    seen = 0
    for line in lines:
        name, _, encoded = line.removeprefix(_DASH).partition(" ")
        data = _base64(encoded, "signature line")
        if not line.startswith(_DASH) or not name or len(data) < 5:
            raise Invalid(f"{line[:200]!r} is no signature line of a note")
        key = known.get((name, data[:4]))
        if key is not None:
            check_signature(to_base64url(key.public), text.encode(), data[4:])
            seen += 1
    if not seen:
        raise ProofFailed(f"no signature here is by {', '.join(str(key) for key in keys) or 'anybody trusted'}")
    return text


@final
@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log says of itself at one size. `extra` are further lines that were signed with it."""

    origin: str
    size: int
    root: bytes
    extra: tuple[str, ...] = ()

    def text(self) -> str:
        """The text that is signed."""
        lines = (self.origin, str(self.size), b64encode(self.root).decode(), *self.extra)
        return "".join(f"{line}\n" for line in lines)

    def sign(self, signer: Signer) -> str:
        """The signed note, signed in the log's own name."""
        return sign_note(self.text(), signer, self.origin)


def parse_checkpoint(text: str) -> Checkpoint:
    """The checkpoint in a note's text or in a whole note, without checking who signed it. Invalid if it is none."""
    lines = text.partition("\n\n")[0].removesuffix("\n").split("\n")
    if len(lines) >= 3 and lines[0]:
        origin, size, root, *extra = lines
        data = _base64(root, "root")
        if size.isascii() and size.isdecimal() and len(size) < 20 and str(int(size)) == size and len(data) == 32:
            return Checkpoint(origin, int(size), data, tuple(extra))
    raise Invalid("this is no checkpoint: its lines must be an origin, a size and a root")


def verify_checkpoint(note: str, key: VerifierKey, origin: str | None = None) -> Checkpoint:
    """The checkpoint in a note signed by `key`, of the log `origin` (by default the one that the key is named for).

    Raises ProofFailed if somebody else signed it or it is of another log, Invalid if it is none.
    """
    checkpoint = parse_checkpoint(open_note(note, [key]))
    expected = key.name if origin is None else origin
    if checkpoint.origin != expected:
        raise ProofFailed(f"this checkpoint is of the log '{checkpoint.origin}', not '{expected}'")
    return checkpoint


def _base64(text: str, what: str) -> bytes:
    try:
        data = b64decode(text, validate=True)
    except (Base64Error, ValueError) as error:
        raise Invalid(f"{text[:100]!r} is no base64 of a {what}") from error
    if b64encode(data).decode() != text:
        raise Invalid(f"{text[:100]!r} is not how base64 writes a {what}")
    return data
