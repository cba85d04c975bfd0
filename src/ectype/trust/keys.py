"""Ed25519 keys: who signs, and how anybody checks it with nothing but the key's name.

A key's name, its `key_id`, is the unpadded base64url of its 32 public bytes, so an entry carries all that
checking its signature needs.
"""

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from functools import lru_cache
from pathlib import Path
from typing import final

from cryptography.exceptions import InternalError, InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from nacl.bindings import crypto_sign

from ectype.errors import Misconfigured, ProofFailed


@final
class Signer:
    """One private key, and the name of its public half."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public = private.public_key().public_bytes_raw()
        self._secret = private.private_bytes_raw() + self.public  # as libsodium has it
        self.key_id = to_base64url(self.public)

    def sign(self, message: bytes) -> bytes:
        """The 64 bytes of the Ed25519 signature over `message` (RFC 8032; the same each time)."""
        return crypto_sign(message, self._secret)[:64]

    @classmethod
    def generate(cls) -> "Signer":
        """A new key that nobody had before."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, seed: bytes) -> "Signer":
        """The key of a 32-byte seed: for tests, vectors and keys kept elsewhere."""
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @classmethod
    def load(cls, path: Path) -> "Signer":
        """The key in a PEM file (PKCS #8, not encrypted). Misconfigured if there is none or it is something else."""
        try:
            private = load_pem_private_key(path.read_bytes(), password=None)
        except FileNotFoundError as error:
            raise Misconfigured(f"{path}: there is no key; restore it from your backup") from error
        except OSError as error:
            raise Misconfigured(f"{path}: this key cannot be read: {error.strerror}") from error
        except (ValueError, TypeError, UnsupportedAlgorithm, InternalError) as error:
            raise Misconfigured(f"{path}: this is no readable private key; restore it from your backup") from error
        if not isinstance(private, Ed25519PrivateKey):
            raise Misconfigured(f"{path}: this is no Ed25519 key; make one with `openssl genpkey -algorithm ed25519`")
        return cls(private)

    @classmethod
    def load_or_create(cls, path: Path) -> "Signer":
        """The key at `path`, made now (readable by its owner alone, and on disk before this returns) if absent."""
        if path.exists():
            return cls.load(path)
        signer = cls.generate()
        signer.save(path)
        return signer

    def save(self, path: Path) -> None:
        """Write the key to a new PEM file with mode 0600. Misconfigured if it exists or cannot be written."""
        pem = self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        partial = path.with_suffix(".new")
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            partial.unlink(missing_ok=True)
            fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(fd, "wb") as file:
                file.write(pem)
                file.flush()
                os.fsync(file.fileno())
            os.link(partial, path)  # unlike rename, never over a key that is there
            partial.unlink()
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise Misconfigured(f"{path}: the key cannot be written: {error.strerror}") from error


def check_signature(key_id: str, message: bytes, signature: bytes) -> None:
    """Prove that the holder of `key_id` signed `message`. Raises ProofFailed if not."""
    try:
        _public(key_id).verify(signature, message)
    except InvalidSignature as error:
        raise ProofFailed(f"the signature of {key_id} does not fit") from error


def to_base64url(data: bytes) -> str:
    """Base64url without padding (RFC 4648 section 5)."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64url(text: str, size: int) -> bytes:
    """The `size` bytes that `text` writes, in the one spelling allowed; else ProofFailed."""
    try:
        data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (Base64Error, ValueError) as error:
        raise ProofFailed(f"{text[:100]!r} is not base64url") from error
    if len(data) != size or to_base64url(data) != text:
        raise ProofFailed(f"{text[:100]!r} is not the base64url of {size} bytes")
    return data


@lru_cache(maxsize=1024)
def _public(key_id: str) -> Ed25519PublicKey:
    try:
        return Ed25519PublicKey.from_public_bytes(from_base64url(key_id, 32))
    except ValueError as error:
        raise ProofFailed(f"{key_id} is no Ed25519 key") from error
