"""Ed25519: the vectors of RFC 8032, and files that hold keys."""

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectype.errors import Misconfigured, ProofFailed
from ectype.trust.keys import Signer, check_signature, from_base64url, to_base64url

# RFC 8032 section 7.1, tests 1 to 3: seed, public key, message, signature.
RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]


@pytest.mark.parametrize(("seed", "public", "message", "signature"), RFC_8032)
def test_signatures_are_those_of_rfc_8032(seed: str, public: str, message: str, signature: str) -> None:
    signer = Signer.from_seed(bytes.fromhex(seed))
    assert signer.public.hex() == public
    assert signer.sign(bytes.fromhex(message)).hex() == signature
    check_signature(signer.key_id, bytes.fromhex(message), bytes.fromhex(signature))


@given(st.binary(max_size=50), st.integers(0, 511))
def test_a_signature_with_any_bit_flipped_fails(message: bytes, bit: int) -> None:
    signer = Signer.from_seed(bytes(32))
    signature = bytearray(signer.sign(message))
    signature[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ProofFailed):
        check_signature(signer.key_id, message, bytes(signature))


def test_nobody_elses_key_fits() -> None:
    with pytest.raises(ProofFailed, match="does not fit"):
        check_signature(Signer.generate().key_id, b"x", Signer.generate().sign(b"x"))


@pytest.mark.parametrize("key_id", ["", "short", "!" * 43, "A" * 44, "A" * 42 + "B"])
def test_what_is_no_key_id_proves_nothing(key_id: str) -> None:
    with pytest.raises(ProofFailed):
        check_signature(key_id, b"x", bytes(64))


@given(st.binary(min_size=1, max_size=70))
def test_base64url_has_one_spelling(data: bytes) -> None:
    text = to_base64url(data)
    assert from_base64url(text, len(data)) == data
    for other in (text + "=", text + "A", text[:-1]):
        with pytest.raises(ProofFailed):
            from_base64url(other, len(data))


def test_a_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "node.pem"
    first = Signer.load_or_create(path)
    assert Signer.load_or_create(path).key_id == Signer.load(path).key_id == first.key_id
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in path.parent.iterdir()] == ["node.pem"]


def test_a_key_is_never_written_over_another(tmp_path: Path) -> None:
    path = tmp_path / "node.pem"
    signer = Signer.load_or_create(path)
    with pytest.raises(Misconfigured):
        Signer.generate().save(path)
    assert Signer.load(path).key_id == signer.key_id


def test_a_file_that_holds_no_ed25519_key_is_named(tmp_path: Path) -> None:
    missing, junk, folder = tmp_path / "missing.pem", tmp_path / "junk.pem", tmp_path / "folder.pem"
    junk.write_text("-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----\n")
    folder.mkdir()
    for path in (missing, junk, folder):
        with pytest.raises(Misconfigured, match=path.name):
            Signer.load(path)
    with pytest.raises(Misconfigured, match="cannot be written"):
        Signer.generate().save(Path("/proc/none/key.pem"))


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    path = tmp_path / "x.pem"
    path.write_bytes(X25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(Misconfigured, match="no Ed25519"):
        Signer.load(path)
