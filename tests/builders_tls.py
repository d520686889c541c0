"""Certificates for tests: of an authority, signed by it, signed by themselves, for other names, and out of date."""

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

LOOPBACK = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
PEM = serialization.Encoding.PEM


class Certificates:
    """Files in a folder: what a server has (`own`, with its key), and what whoever trusts it has (`public`)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        authority, key = self._make("authority", None, is_authority=True)
        self._make("stranger", None, is_authority=True)
        self._make("signed", LOOPBACK, by=(authority, key))
        self._make("elsewhere", x509.DNSName("camera.example"), by=(authority, key))
        self._make("expired", LOOPBACK, by=(authority, key), until=datetime.now(UTC) - timedelta(days=1))
        self._make("self-signed", LOOPBACK)
        self._make("nameless", None)

    def own(self, kind: str) -> Path:
        return self._folder / f"{kind}.own.pem"

    def public(self, kind: str) -> Path:
        return self._folder / f"{kind}.pem"

    def _make(
        self,
        kind: str,
        name: x509.GeneralName | None,
        *,
        by: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None = None,
        until: datetime | None = None,
        is_authority: bool = False,
    ) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, kind)])
        ends_at = until or datetime.now(UTC) + timedelta(days=1)
        issuer, signer = (by[0].subject, by[1]) if by is not None else (subject, key)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(ends_at - timedelta(days=2))
            .not_valid_after(ends_at)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        )
        if name is not None:
            builder = builder.add_extension(x509.SubjectAlternativeName([name]), critical=False)
        certificate = builder.sign(signer, hashes.SHA256())
        private = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        self.public(kind).write_bytes(certificate.public_bytes(PEM))
        self.own(kind).write_bytes(certificate.public_bytes(PEM) + private)
        return certificate, key
