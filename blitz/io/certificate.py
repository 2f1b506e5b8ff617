"""The server's certificate: a private one that is made at first start, or the operator's own.

A private certificate is not vouched for by anybody. Clients know it by its fingerprint, SHA-256 of the certificate in
DER, which stands in the link that ``blitz token create`` prints. So it is made once and kept: another one is another
server to them.
"""

import contextlib
import ipaddress
import logging
import os
import shutil
import socket
import ssl
import tempfile
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from blitz.errors import ConfigError

if TYPE_CHECKING:
    from cryptography import x509

log = logging.getLogger(__name__)

FOLDER = "tls"
_CERTIFICATE = "certificate.pem"
_KEY = "key.pem"
_UNFINISHED_S = 3600
_REMEDY = (
    f"If the folder {FOLDER} is damaged, bring it back from a backup; or move it away: a new certificate is made then, "
    "and clients need new links ('blitz token create')."
)

_SINCE = datetime(2020, 1, 1, tzinfo=UTC)
"""Not today: a small computer may believe that it is years ago."""
_UNTIL = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
"""RFC 5280, section 4.1.2.5, for a certificate that has no end."""


class Certificate(NamedTuple):
    """What the server shows, and how it is known."""

    certificate: Path
    key: Path
    fingerprint: str
    """64 small hex digits."""
    is_private: bool
    """Whether it was made here."""


def own_certificate(certificate: Path, key: Path | None) -> Certificate:
    """Check the operator's own files.

    :param key: absent: it stands in the certificate's file.
    :raises ConfigError: if they cannot be read, or do not belong together.
    """
    key = key or certificate
    for path in (certificate, key):
        if not path.is_file():
            raise ConfigError(f"The certificate or key {path} does not exist. Check tls_certificate and tls_key.")
    try:
        # Without a password of its own OpenSSL would ask for one on the terminal, where a service has none.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
        fingerprint = _fingerprint(certificate.read_bytes())
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError(
            f"The certificate {certificate} and the key {key} cannot be used: {_reason(error)}. Give PEM files that "
            "belong together, the key without a password."
        ) from error
    except OSError as error:
        raise ConfigError(f"Cannot read {error.filename or key}: {(error.strerror or str(error)).lower()}.") from error
    return Certificate(certificate, key, fingerprint, is_private=False)


def private_certificate(data_dir: Path, names: Iterable[str] = ()) -> Certificate:
    """Return the server's private certificate, which is made on the first call.

    A damaged one is never replaced by itself: clients would take that for another server.

    :param names: names and addresses of this server besides its host name and the loopback ones.
    :raises ConfigError: if it cannot be written or read.
    """
    folder = data_dir / FOLDER
    try:
        _remove_unfinished(data_dir)
        if not folder.exists():
            data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            _make(folder, [socket.gethostname(), *names])
        content = (folder / _CERTIFICATE).read_bytes()
        (folder / _KEY).chmod(0o600)  # a copy or a backup may have lost it
        try:
            own_certificate(folder / _CERTIFICATE, folder / _KEY)
        except ConfigError as error:
            raise ConfigError(
                f"The server's private certificate in {folder} is damaged, or its key, and cannot be used. {_REMEDY}"
            ) from error
        return Certificate(folder / _CERTIFICATE, folder / _KEY, _fingerprint(content), is_private=True)
    except OSError as error:
        raise ConfigError(
            f"Cannot make or read the server's certificate {folder / _CERTIFICATE}: "
            f"{(error.strerror or str(error)).lower()}. Check that you may write there. {_REMEDY}"
        ) from error


def _remove_unfinished(data_dir: Path) -> None:
    """Remove what a program that ended while making a certificate left long ago: there may be a key in it."""
    for folder in data_dir.glob(f"{FOLDER}.*"):
        with contextlib.suppress(FileNotFoundError):  # another program has finished it just now
            if folder.is_dir() and time.time() - folder.stat().st_mtime > _UNFINISHED_S:
                shutil.rmtree(folder, ignore_errors=True)
                log.info("Removed %s, a certificate that had not been finished", folder)


def _make(folder: Path, names: Iterable[str]) -> None:
    """Make certificate and key; whoever is first wins, and half of them is never seen."""
    new = Path(tempfile.mkdtemp(prefix=f"{FOLDER}.", dir=folder.parent))  # mode 0700
    try:
        certificate, key = _generate(list(names))
        _write(new / _KEY, key, 0o600)
        _write(new / _CERTIFICATE, certificate, 0o644)
        _sync(new)
        with contextlib.suppress(FileExistsError):
            _rename_new(new, folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _rename_new(new: Path, folder: Path) -> None:
    try:
        new.rename(folder)
    except OSError:
        if not (folder / _CERTIFICATE).exists():  # else another program was faster
            raise
    _sync(folder.parent)


def _sync(folder: Path) -> None:
    """Wait until the names in a folder survive a power failure."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _write(path: Path, content: bytes, mode: int) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _generate(names: list[str]) -> tuple[bytes, bytes]:
    """Return a certificate and its key, both PEM: P-256, which every TLS library knows."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Blitz server")])
    usage = dict.fromkeys(_KEY_USES, False) | {"digital_signature": True}
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_SINCE)
        .not_valid_after(_UNTIL)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(_alternative_names(names)), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return certificate.public_bytes(pem), private


_KEY_USES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


def _alternative_names(names: Iterable[str]) -> "list[x509.GeneralName]":
    from cryptography import x509

    found: dict[str, x509.GeneralName] = {}
    for name in ("localhost", "127.0.0.1", "::1", *names):
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            with contextlib.suppress(ValueError):  # a name that is none, such as one with letters beyond ASCII
                found[name.lower()] = x509.DNSName(name.lower())
        else:
            if not address.is_unspecified:
                found[name] = x509.IPAddress(address)
    return list(found.values())


def _fingerprint(pem: bytes) -> str:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    return x509.load_pem_x509_certificate(pem).fingerprint(hashes.SHA256()).hex()


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", None) or error).strip().rstrip(".").lower()
