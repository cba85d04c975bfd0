"""TLS from PEM files, for pages and for devices, and the names that the certificate vouches for."""

import ssl
from pathlib import Path

from cryptography import x509

from ectype.errors import Misconfigured
from ectype.node.exposure import Exposure


def context(cert: Path, key: Path) -> ssl.SSLContext:
    """A server's TLS context. Misconfigured when the files do not fit together."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        tls.load_cert_chain(cert, key)
    except (OSError, ssl.SSLError) as error:
        raise Misconfigured(f"--tls-cert {cert} and --tls-key {key} cannot be used together: {error}") from error
    return tls


def device_context(exposure: Exposure) -> ssl.SSLContext | None:
    """How devices are met; None without TLS. A device's certificate is asked for where there is an authority for it,
    and is a must where nothing else (no token) keeps others out. Misconfigured when a file is not what it should be.
    """
    if exposure.cert is None or exposure.key is None:
        return None
    tls = context(exposure.cert, exposure.key)
    if exposure.device_ca is not None:
        try:
            tls.load_verify_locations(exposure.device_ca)
        except (OSError, ssl.SSLError) as error:
            raise Misconfigured(f"--device-ca {exposure.device_ca} holds no certificate in PEM: {error}") from error
        if "BEGIN X509 CRL" in exposure.device_ca.read_text("ascii", "replace"):
            tls.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
        tls.verify_mode = ssl.CERT_REQUIRED if exposure.token is None else ssl.CERT_OPTIONAL
    return tls


def certified_names(cert: Path) -> set[str]:
    """The host names and addresses in a certificate, which are what browsers will call this node by."""
    try:
        leaf = x509.load_pem_x509_certificates(cert.read_bytes())[0]
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    except (OSError, ValueError) as error:
        raise Misconfigured(f"--tls-cert {cert}: {error}") from error
    addresses = {str(address) for address in names.get_values_for_type(x509.IPAddress)}
    return addresses | {name.lower() for name in names.get_values_for_type(x509.DNSName)}
