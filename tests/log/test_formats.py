"""The pages in docs/formats: their vectors, checked by code written from the pages alone, then by the package."""

import json
import re
import struct
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from pathlib import Path
from zlib import crc32

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ectype.log.entry import check_entry, parse_entry, seal
from ectype.log.frame import decode, encode
from ectype.log.prove import check_proof
from ectype.log.sealed import unseal
from ectype.log.stores.segment import Index
from ectype.trust.checkpoint import parse_vkey, verify_checkpoint
from ectype.trust.keys import Signer

PAGES = Path(__file__).parents[2] / "docs" / "formats"
VECTORS = {
    name: text
    for page in ("entry", "segment", "tree")
    for name, text in re.findall(r"```vector ([^\n]*)\n(.*?)\n```", (PAGES / f"{page}.md").read_text(), re.DOTALL)
}


def octets(name: str) -> bytes:
    return bytes.fromhex(VECTORS[name])


def unpadded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def header(number: int) -> bytes:
    return VECTORS[f"entry {number} header"].encode()


def body(number: int) -> bytes:
    return VECTORS[f"entry {number} body"].encode()


def test_the_entries_are_as_the_page_says() -> None:
    key = Ed25519PrivateKey.from_private_bytes(octets("seed")).public_key().public_bytes_raw()
    assert urlsafe_b64encode(key).rstrip(b"=").decode() == VECTORS["author"]
    for number in (0, 1):
        parts = json.loads(header(number))
        assert list(parts) == sorted(parts)
        assert set(parts) - {"by"} == {"at_ns", "author", "digest", "kind", "media", "sig", "subject", "v"}
        assert json.dumps(parts, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode() == header(number)
        assert unpadded(parts["digest"]) == sha256(octets(f"entry {number} salt") + body(number)).digest()
        signature = unpadded(parts.pop("sig"))
        unsigned = json.dumps(parts, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
        Ed25519PublicKey.from_public_bytes(unpadded(parts["author"])).verify(signature, unsigned)


def test_the_package_makes_these_entries() -> None:
    signer = Signer.from_seed(octets("seed"))
    for number in (0, 1):
        parts = json.loads(header(number))
        made = seal(
            signer,
            kind=parts["kind"],
            subject=parts["subject"],
            body=body(number),
            at_ns=int(parts["at_ns"]),
            by=parts.get("by"),
            salt=octets(f"entry {number} salt"),
        )
        assert made == parse_entry(header(number), octets(f"entry {number} salt"), body(number))
        check_entry(made)


def test_the_frames_are_as_the_page_says() -> None:
    for name, numbers in (("frame", [0, 1]), ("frame erased", [0])):
        data, n = octets(name), len(numbers)
        magic, length, first, count, crc, own = struct.unpack(">4sIQIII", data[:28])
        assert (magic, length, first, count) == (b"ECT1", len(data) - 28, 0, n)
        assert crc == crc32(data[28:])
        assert own == crc32(data[:24])
        headers = struct.unpack_from(f">{n}H", data, 28)
        bodies = struct.unpack_from(f">{n}I", data, 28 + 2 * n)
        rest = data[28 + 6 * n :]
        for number, size in zip(numbers, headers, strict=True):
            assert rest[:size] == header(number)
            rest = rest[size:]
        gone = [size == 0xFFFFFFFF for size in bodies]
        for number, erased in zip(numbers, gone, strict=True):
            assert rest[:16] == (bytes(16) if erased else octets(f"entry {number} salt"))
            rest = rest[16:]
        assert rest == b"".join(body(number) for number, erased in zip(numbers, gone, strict=True) if not erased)
        assert any(gone) == (name == "frame erased")


def test_the_package_makes_these_frames() -> None:
    entries = [parse_entry(header(n), octets(f"entry {n} salt"), body(n)) for n in (0, 1)]
    assert encode(0, entries) == octets("frame")
    assert list(decode(octets("frame")).entries) == entries
    erased = parse_entry(header(0), b"", None)
    assert encode(0, [erased]) == octets("frame erased")
    assert decode(octets("frame erased")).entries == (erased,)


def test_the_index_is_as_the_page_says_and_as_the_package_makes_it() -> None:
    data = octets("index")
    assert struct.unpack_from(">4sIQQQQ", data) == (b"ECTX", 1, 3, len(octets("frame")) + 100, 0, 0)
    assert struct.unpack(">I", data[-4:])[0] == crc32(data[:-4])
    index = Index(0)
    index.add(2, len(octets("frame")))
    index.add(3, 100)
    assert index.to_bytes() == data
    again = Index.from_bytes(0, data)
    assert again is not None
    assert again.find(2) == (0, 0)


def test_the_snapshot_is_as_the_page_says_and_the_package_reads_it() -> None:
    data = octets("snapshot")
    line, rest = data.split(b"\n", 1)
    assert line == b"ECTS counts 1 2"
    assert rest[:32] == octets("root")
    assert rest[32:64] == sha256(line + b"\n" + rest[:32] + rest[64:]).digest()
    sealed = unseal(data)
    assert sealed is not None
    assert (sealed.name, sealed.version, sealed.size, sealed.root) == ("counts", 1, 2, octets("root"))
    assert sealed.state == rest[64:] == b'{"twin:R80711":2}'


def test_tree_checkpoint_and_proof_are_as_the_page_says() -> None:
    leaves = [sha256(b"\0" + header(n)).digest() for n in (0, 1)]
    assert leaves == [octets("leaf 0"), octets("leaf 1")]
    assert sha256(b"\1" + leaves[0] + leaves[1]).digest() == octets("root")
    text, signature = VECTORS["checkpoint"].split("\n\n")
    assert text.split("\n") == ["example.com/log", "2", text.split("\n")[2]]
    assert b64decode(text.split("\n")[2]) == octets("root")
    name, key_hash, key = VECTORS["vkey"].split("+", 2)
    raw = b64decode(key)
    assert raw == b"\1" + unpadded(VECTORS["author"])
    assert sha256(name.encode() + b"\n" + raw).hexdigest()[:8] == key_hash
    dash, signer, encoded = signature.split(" ")
    assert (dash, signer) == ("—", name)
    assert b64decode(encoded)[:4].hex() == key_hash
    Ed25519PublicKey.from_public_bytes(raw[1:]).verify(b64decode(encoded)[4:], f"{text}\n".encode())
    lines = VECTORS["proof"].split("\n")
    assert lines[0] == "c2sp.org/tlog-proof@v1"
    assert b64decode(lines[1].removeprefix("extra ")) == header(1)
    assert lines[2] == "index 1"
    assert b64decode(lines[3]) == leaves[0]
    assert "\n".join(lines[5:]) == VECTORS["checkpoint"]


def test_the_package_accepts_the_checkpoint_and_the_proof() -> None:
    assert verify_checkpoint(VECTORS["checkpoint"] + "\n", parse_vkey(VECTORS["vkey"])).root == octets("root")
    proved = check_proof(VECTORS["proof"] + "\n", VECTORS["vkey"], salt=octets("entry 1 salt"), body=body(1))
    assert proved.entry.on_behalf_of == "Ada é"
    assert proved.index == 1


def test_every_vector_on_the_pages_is_checked_here() -> None:
    source = Path(__file__).read_text()
    numbered = {f"entry {n} {part}" for n in (0, 1) for part in ("header", "salt", "body")}
    for name in VECTORS.keys() - numbered:
        assert f'"{name}"' in source
    assert numbered <= VECTORS.keys()
