"""Whether a camera is who its certificate says: which authorities are trusted, and why one is not."""

import socket
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import certifi

DEFAULT_PORTS = {"https": 443, "rtsps": 322}
ADVICE = "name its authority's certificate, or its own, as `ca_file`, or switch checking off by `tls_verify: false`"


def authorities(ca_file: Path | None) -> Path:
    """The PEM file of those whose signature is trusted: `ca_file`, else this machine's, else Mozilla's."""
    if ca_file is not None:
        return ca_file
    system = ssl.get_default_verify_paths().cafile
    return Path(system or certifi.where())


def untrusted_because(error: ssl.SSLCertVerificationError) -> str:
    """What is wrong with a certificate and what to do, in one line."""
    return f"its certificate is not trusted ({error.verify_message.rstrip('.')}): {ADVICE}"


def cannot_read(ca_file: Path, error: OSError) -> str:
    """Why the file of authorities is of no use, in one line; `ssl.SSLError` is an `OSError` too."""
    is_no_pem = isinstance(error, ssl.SSLError)
    return f"its ca_file {ca_file} {'holds no certificate' if is_no_pem else f'cannot be read: {error.strerror}'}"


def trusting(ca_file: Path) -> ssl.SSLContext:
    """Checks chain, dates and host name against the authorities of a file.

    Raises:
        OSError: the file cannot be read, or (as `ssl.SSLError`) holds no certificate.
    """
    return ssl.create_default_context(cafile=str(ca_file))


def distrust_of(url: str, ca_file: Path, *, timeout_s: float) -> str | None:
    """Ask the server at `url` for its certificate, to say why FFmpeg, which does not tell, refused it.

    None when it is not the certificate, or nothing answers.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or DEFAULT_PORTS[parts.scheme]
    try:
        context = trusting(ca_file)
    except OSError as error:
        return cannot_read(ca_file, error)
    try:
        with (
            socket.create_connection((host, port), timeout_s) as plain,
            context.wrap_socket(plain, server_hostname=host),
        ):
            return None
    except ssl.SSLCertVerificationError as error:
        return untrusted_because(error)
    except OSError:
        return None
