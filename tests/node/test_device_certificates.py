"""A device's certificate is its password, where the node is told whose certificates count."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from paho.mqtt.client import CallbackAPIVersion, Client

from ectype.errors import Misconfigured
from ectype.node.exposure import expose
from ectype.node.node import Node, Settings
from ectype.server.authority import own_certificate
from tests.node.conftest import play

NOW = datetime.now(UTC)
TOKEN = "a-token-of-at-least-twenty-characters"
PEM = serialization.Encoding.PEM


class Authority:
    """Makes certificates for devices, and takes them back."""

    def __init__(self, folder: Path, name: str = "devices") -> None:
        self.folder, self.key = folder, ec.generate_private_key(ec.SECP256R1())
        self.subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        made = self._builder(self.subject, self.key.public_key()).add_extension(x509.BasicConstraints(True, 0), True)
        self.path = folder / f"{name}.pem"
        self.pem = made.add_extension(usage, True).sign(self.key, hashes.SHA256()).public_bytes(PEM)
        self.path.write_bytes(self.pem)

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        start, end = NOW - timedelta(days=1), NOW + timedelta(days=1)
        made = x509.CertificateBuilder().subject_name(subject).issuer_name(self.subject).public_key(key)
        return made.serial_number(x509.random_serial_number()).not_valid_before(start).not_valid_after(end)

    def device(self, name: str) -> tuple[str, str]:
        """Paths of its certificate and key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
        made = self._builder(subject, key.public_key()).add_extension(usage, False).sign(self.key, hashes.SHA256())
        cert, secret = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        cert.write_bytes(made.public_bytes(PEM))
        plain = serialization.NoEncryption()
        secret.write_bytes(key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, plain))
        return str(cert), str(secret)

    def revoke(self, cert: str) -> None:
        """Write authority and revocation list into one file."""
        serial = x509.load_pem_x509_certificate(Path(cert).read_bytes()).serial_number
        gone = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(NOW).build()
        made = x509.CertificateRevocationListBuilder().issuer_name(self.subject).last_update(NOW - timedelta(hours=1))
        crl = made.next_update(NOW + timedelta(days=1)).add_revoked_certificate(gone).sign(self.key, hashes.SHA256())
        self.path.write_bytes(self.pem + crl.public_bytes(PEM))


def connects(port: int, ca: Path, certificate: tuple[str, str] | None = None, password: str | None = None) -> bool:
    """Whether paho's client gets in. To be called in a thread."""
    client = Client(CallbackAPIVersion.VERSION2, client_id="gateway")
    client.tls_set(str(ca), *(certificate or (None, None)))
    if password is not None:
        client.username_pw_set("gateway", password)
    let_in: list[bool] = []
    client.on_connect = lambda _client, _data, _flags, reason, _properties: let_in.append(not reason.is_failure)
    try:
        client.connect("localhost", port)
        for _ in range(100):
            if client.loop(0.1) or let_in:
                break
    except (ssl.SSLError, ConnectionError):
        return False
    client.disconnect()
    return bool(let_in and let_in[0])


@pytest.mark.parametrize("with_token", [True, False])
def test_a_certificate_lets_a_device_in_and_a_list_shuts_it_out(tmp_path: Path, with_token: bool) -> None:
    ca, cert, key = own_certificate(tmp_path / "keys", "127.0.0.1")
    token = tmp_path / "token"
    token.write_text(TOKEN)
    ours, others = Authority(tmp_path), Authority(tmp_path, "elsewhere")
    mine, lost, foreign = ours.device("gateway-1"), ours.device("gateway-2"), others.device("gateway-3")

    async def body() -> None:
        for revoked in (False, True):
            if revoked:
                ours.revoke(lost[0])
            exposure = expose("127.0.0.1", token if with_token else None, cert, key, ours.path)
            node = await Node.start(tmp_path / "a.space", Settings(exposure, 0, estimate=False))
            try:
                assert node.mqtt is not None

                async def tried(*how: object, port: int = node.mqtt.port) -> bool:
                    return await asyncio.to_thread(connects, port, ca, *how)

                assert await tried(mine)
                assert await tried(lost) is not revoked
                assert not await tried(foreign)
                assert not await tried()
                assert await tried(None, TOKEN) is with_token
                assert not await tried(None, "wrong")
            finally:
                await node.close()

    play(body)


def test_what_cannot_be_meant_is_told(tmp_path: Path) -> None:
    ca, cert, key = own_certificate(tmp_path / "keys", "127.0.0.1")
    with pytest.raises(Misconfigured, match="--device-ca checks certificates of devices, which needs TLS"):
        expose("127.0.0.1", device_ca=ca)
    with pytest.raises(Misconfigured, match=r"--device-ca .*nowhere: there is no such file"):
        expose("127.0.0.1", None, cert, key, tmp_path / "nowhere")
    (tmp_path / "no.pem").write_text("nonsense")

    async def body() -> None:
        with pytest.raises(Misconfigured, match=r"--device-ca .*no.pem holds no certificate"):
            await Node.start(
                tmp_path / "b.space", Settings(expose("127.0.0.1", None, cert, key, tmp_path / "no.pem"), 0)
            )

    play(body)
