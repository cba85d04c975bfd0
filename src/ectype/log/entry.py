"""An entry: one thing that happened, signed by who says so, whose body can be erased and still be proved.

    header   canonical JSON (RFC 8785), the leaf of the Merkle tree, at most 65,535 bytes:
             {"at_ns":"1411344000000000000","author":"…","digest":"…","kind":"twin.put",
              "media":"application/json","sig":"…","subject":"twin:R80711","v":1}
    salt     16 random bytes, so that a short body cannot be guessed from its digest
    body     any bytes; digest = SHA-256(salt ‖ body)

`sig` is the author's Ed25519 signature over the same header without "sig". A signature fits one author alone,
so it binds all of it. docs/formats/entry.md has vectors.
"""

import re
from hashlib import sha256
from os import urandom
from typing import final

import msgspec

from ectype.errors import Invalid, ProofFailed
from ectype.trust.keys import Signer, check_signature, from_base64url, to_base64url

HEADER_LIMIT = 65_535
SALT = 16
JSON_MEDIA = "application/json"
_NS_RANGE = range(-(2**63), 2**63)
_KIND = re.compile(r"[a-z][a-z0-9]*(?:[._-][a-z0-9]+)*")


@final
class Entry(msgspec.Struct, frozen=True, gc=False):
    """One entry. Made by `seal` and `parse_entry` alone, which is why all its parts agree.

    A msgspec struct rather than a dataclass: a log is read at a million of these a second, and a frozen
    dataclass takes ten times as long to make.
    body: None once erased (then salt is empty too).
    on_behalf_of: the person or thing that a node signed for ("by" in the header).
    """

    header: bytes
    salt: bytes
    body: bytes | None
    kind: str
    subject: str
    author: str
    at_ns: int
    media: str
    on_behalf_of: str | None = None


class _Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    # The fields stand in the order of RFC 8785, so that encoding one gives the canonical text.
    at_ns: str
    author: str
    by: str | msgspec.UnsetType = msgspec.UNSET
    digest: str
    kind: str
    media: str
    sig: str | msgspec.UnsetType = msgspec.UNSET
    subject: str
    v: int


_decode = msgspec.json.Decoder(_Header).decode
_encode = msgspec.json.Encoder().encode


def seal(
    signer: Signer,
    *,
    kind: str,
    subject: str,
    body: bytes,
    media: str = JSON_MEDIA,
    at_ns: int,
    by: str | None = None,
    salt: bytes | None = None,
) -> Entry:
    """A new entry, signed: about 40 µs, nearly all of it the signature.

    Raises Invalid if the header would be longer than a leaf may be or a part is not text.
    """
    salt = urandom(SALT) if salt is None else salt
    header = _Header(
        at_ns=str(at_ns),
        author=signer.key_id,
        by=msgspec.UNSET if by is None else by,
        digest=to_base64url(_digest(salt, body)),
        kind=kind,
        media=media,
        subject=subject,
        v=1,
    )
    try:
        unsigned = _encode(header)
        signed = _encode(msgspec.structs.replace(header, sig=to_base64url(signer.sign(unsigned))))
    except (UnicodeEncodeError, TypeError, msgspec.MsgspecError) as error:
        raise Invalid(f"an entry about {subject!r}: {error}") from error
    _check_parts(header, salt)
    if len(signed) > HEADER_LIMIT:
        raise Invalid(f"the header of this entry would be {len(signed)} bytes, more than the {HEADER_LIMIT} of a leaf")
    return Entry(signed, salt, body, kind, subject, signer.key_id, at_ns, media, by)


def parse_entry(header: bytes, salt: bytes, body: bytes | None) -> Entry:
    """The entry that these bytes from outside are, if its header is canonical and complete; else Invalid.

    Whether digest and signature hold is for `check_entry`.
    """
    if len(header) > HEADER_LIMIT:
        raise Invalid(f"an entry's header of {len(header)} bytes is longer than the {HEADER_LIMIT} of a leaf")
    try:
        parts = _decode(header)
        canonical = _encode(parts)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise Invalid(f"this is no header of an entry: {error}") from error
    if canonical != header:
        raise Invalid("this header is not in canonical form (RFC 8785), so it would be another leaf than it says")
    if parts.sig is msgspec.UNSET:
        raise Invalid("this header is not signed: it has no 'sig'")
    _check_parts(parts, salt if body is not None else bytes(SALT))
    return read_entry(header, salt, body)


def read_entry(header: bytes, salt: bytes, body: bytes | None) -> Entry:
    """Like `parse_entry` for bytes that passed it before, as those in a store have: no check but the JSON's."""
    parts = _decode(header)
    by = parts.by
    return Entry(
        header,
        b"" if body is None else salt,
        body,
        parts.kind,
        parts.subject,
        parts.author,
        int(parts.at_ns),
        parts.media,
        None if by is msgspec.UNSET else by,
    )


def check_entry(entry: Entry) -> None:
    """Prove that the author signed the header and that the body is the one it names. Raises ProofFailed.

    An erased body is not checked: the header alone still proves what was said when, by whom.
    """
    parts = _decode(entry.header)
    if entry.body is not None and to_base64url(_digest(entry.salt, entry.body)) != parts.digest:
        raise ProofFailed(f"the body of the entry about '{entry.subject}' is not the one that was signed")
    if parts.sig is msgspec.UNSET:
        raise ProofFailed(f"the entry about '{entry.subject}' is not signed")
    unsigned = _encode(msgspec.structs.replace(parts, sig=msgspec.UNSET))
    check_signature(parts.author, unsigned, from_base64url(parts.sig, 64))


def _digest(salt: bytes, body: bytes) -> bytes:
    digest = sha256(salt)
    digest.update(body)
    return digest.digest()


def _check_parts(parts: _Header, salt: bytes) -> None:
    if parts.v != 1:
        raise Invalid(f"this entry is of version {parts.v}; this program reads version 1")
    if not _KIND.fullmatch(parts.kind) or len(parts.kind) > 64:
        raise Invalid(f"{parts.kind[:100]!r} is no kind of entry; one looks like twin.put")
    if not parts.subject or not parts.subject.isprintable():
        raise Invalid(f"{parts.subject[:100]!r} cannot be the subject of an entry: it must be printable text")
    if not parts.media or not parts.media.isascii() or not parts.media.isprintable():
        raise Invalid(f"{parts.media[:100]!r} is no media type")
    if len(salt) != SALT:
        raise Invalid(f"an entry's salt has {SALT} bytes, not {len(salt)}")
    digits = parts.at_ns.removeprefix("-")
    if not digits.isdecimal() or len(digits) > 19 or str(int(parts.at_ns)) != parts.at_ns:
        raise Invalid(f"{parts.at_ns[:30]!r} is no time in nanoseconds")
    if int(parts.at_ns) not in _NS_RANGE:
        raise Invalid(f"{parts.at_ns} ns is further from 1970 than 64 bits reach")
    if len(parts.author) != 43 or len(parts.digest) != 43:
        raise Invalid("an entry's author and digest are 32 bytes each, in base64url")
