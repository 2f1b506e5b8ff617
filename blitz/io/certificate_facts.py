"""What a certificate says of itself, and how the server's private one is replaced."""

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from blitz.errors import ConfigError
from blitz.io.certificate import FOLDER, Certificate, private_certificate

_WITHOUT_END = 9999
"""The year that stands for no end: RFC 5280, section 4.1.2.5."""


class CertificateFacts(NamedTuple):
    """What clients look at."""

    names: tuple[str, ...]
    """Host names and addresses that it is for."""
    since: datetime
    until: datetime | None
    """None: it has no end."""
    issuer: str
    fingerprint: str
    """64 small hex digits."""

    def trouble(self, now: datetime) -> str:
        """Return what is wrong with its dates; empty where nothing is."""
        if now < self.since:
            return f"It is not valid before {self.since:%Y-%m-%d}."
        if self.until is not None and now > self.until:
            return f"It is not valid since {self.until:%Y-%m-%d}: get a new one."
        return ""


def read_facts(certificate: Certificate) -> CertificateFacts:
    """Read what a certificate says.

    :raises ConfigError: if it cannot be read.
    """
    from cryptography import x509

    try:
        parsed = x509.load_pem_x509_certificate(certificate.certificate.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"Cannot read the certificate {certificate.certificate}: {error}.") from error
    try:
        names = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        found = [str(name.value) for name in names]
    except x509.ExtensionNotFound:
        found = []
    until = parsed.not_valid_after_utc
    return CertificateFacts(
        tuple(found),
        parsed.not_valid_before_utc,
        None if until.year == _WITHOUT_END else until,
        parsed.issuer.rfc4514_string(),
        certificate.fingerprint,
    )


def renew_private_certificate(data_dir: Path, names: tuple[str, ...]) -> tuple[Certificate, Path]:
    """Make a new private certificate; the old one stays beside it, in a folder that is returned.

    A server that runs shows the old one until it is started again.

    :param names: as for :func:`~blitz.io.certificate.private_certificate`.
    :raises ConfigError: if that fails; the old one is in force then.
    """
    folder = data_dir / FOLDER
    aside = data_dir / f"{FOLDER}-until-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    try:
        folder.rename(aside)
    except OSError as error:
        raise ConfigError(f"Cannot move {folder} away: {(error.strerror or str(error)).lower()}.") from error
    try:
        return private_certificate(data_dir, names), aside
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        os.rename(aside, folder)
        raise
