"""A certificate authority of one's own, for `--tls`: made at the first start, trusted by whoever is told to.

keys/ca.pem, ca.key           the authority, ten years; ca.pem is what others trust, once
keys/server.pem, server.key   the node's certificate under it, made anew when it runs out or the names change
"""

import ipaddress
import os
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ectype.errors import Misconfigured

_CA_DAYS, _LEAF_DAYS, _RENEW_DAYS = 3650, 397, 30


def own_certificate(folder: Path, host: str, now: datetime | None = None) -> tuple[Path, Path, Path]:
    """Paths of the authority's certificate, and of the node's certificate and key, made if they are not there.

    Raises Misconfigured when a file cannot be read or written.
    """
    now = datetime.now(UTC) if now is None else now
    ca_path, ca_key_path = folder / "ca.pem", folder / "ca.key"
    cert_path, key_path = folder / "server.pem", folder / "server.key"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not (ca_path.exists() and ca_key_path.exists()):
            _make_authority(ca_path, ca_key_path, now)
            cert_path.unlink(missing_ok=True)
        names = _names(host)
        if not (cert_path.exists() and key_path.exists() and _fits(cert_path, names, now)):
            _make_leaf(ca_path, ca_key_path, cert_path, key_path, names, now)
    except (OSError, ValueError) as error:
        raise Misconfigured(f"--tls: the certificates in {folder} cannot be used: {error}") from error
    return ca_path, cert_path, key_path


def _names(host: str) -> list[str]:
    return sorted({"localhost", "127.0.0.1", "::1", host, socket.gethostname().lower()} - {"0.0.0.0", "::", ""})  # noqa: S104


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _fits(path: Path, names: list[str], now: datetime) -> bool:
    leaf = x509.load_pem_x509_certificate(path.read_bytes())
    held = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return set(held) >= {_general(name) for name in names} and leaf.not_valid_after_utc - now > timedelta(
        days=_RENEW_DAYS
    )


def _builder(subject: x509.Name, issuer: x509.Name, now: datetime, days: int) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=days))
    )


def _make_authority(path: Path, key_path: Path, now: datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Ectype on {socket.gethostname()}"[:64])])
    certificate = (
        _builder(name, name, now, _CA_DAYS)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write(key_path, _private(key))
    _write(path, certificate.public_bytes(serialization.Encoding.PEM), 0o644)


def _make_leaf(ca_path: Path, ca_key: Path, path: Path, key_path: Path, names: list[str], now: datetime) -> None:
    authority = x509.load_pem_x509_certificate(ca_path.read_bytes())
    signer = serialization.load_pem_private_key(ca_key.read_bytes(), None)
    if not isinstance(signer, ec.EllipticCurvePrivateKey):
        raise ValueError(f"{ca_key} is not the key that Ectype made")
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    certificate = (
        _builder(subject, authority.subject, now, _LEAF_DAYS)
        .public_key(key.public_key())
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .sign(signer, hashes.SHA256())
    )
    _write(key_path, _private(key))
    pem = serialization.Encoding.PEM
    _write(path, certificate.public_bytes(pem) + authority.public_bytes(pem), 0o644)


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, data: bytes, mode: int = 0o600) -> None:
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)
    part.replace(path)
