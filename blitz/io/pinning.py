"""TLS with a server whose certificate is known by its fingerprint, and what a certificate's faults mean to people.

The check belongs to the handshake of every single connection, HTTP's and the live one's alike: Python lets a context
say which class its TLS connections are of, and ours compares the certificate before the handshake counts as done. So
no byte, and no token, goes to a server that is not the one that is meant, not even after a reconnect. That the server
holds the certificate's key is proven by the handshake itself; names and dates are not looked at: the fingerprint says
more, and a small computer may have no clock.
"""

import hashlib
import hmac
import ssl
from typing import Any

from blitz.errors import BlitzError, CertificateMismatch, ServerUnreachable
from blitz.io.address import ServerAddress

_SHOWN_DIGITS = 16
_PRIVATE = (
    18,  # X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, of OpenSSL's x509_vfy.h
    19,  # X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN
    20,  # X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY
    21,  # X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE
)
"""Nobody whom this computer trusts vouches for the certificate."""
_NO_TLS = ("WRONG_VERSION_NUMBER", "UNEXPECTED_EOF_WHILE_READING")
"""How OpenSSL calls an answer in plain HTTP, and a server that hangs up on the greeting."""


class WrongCertificate(ssl.SSLError):
    """The handshake is given up: the certificate has another fingerprint.

    An :class:`ssl.SSLError`, as which asyncio and anyio pass it on to whoever connects.
    """

    def __init__(self, shown: str) -> None:
        super().__init__(ssl.SSL_ERROR_SSL, "the certificate is not the one that is expected")
        self.shown = shown


class _PinnedContext(ssl.SSLContext):
    """Trusts the one certificate with :attr:`fingerprint`."""

    fingerprint = ""


class _PinnedObject(ssl.SSLObject):
    _is_trusted = False

    def do_handshake(self) -> None:
        """Finish the handshake, then compare.

        :raises WrongCertificate: if it is another certificate.
        """
        super().do_handshake()
        certificate = self.getpeercert(binary_form=True) or b""
        shown = fingerprint_of(certificate)
        if not isinstance(self.context, _PinnedContext) or not hmac.compare_digest(shown, self.context.fingerprint):
            raise WrongCertificate(shown)
        self._is_trusted = True

    def write(self, data: Any) -> int:
        """Send, once the other side is known."""
        if not self._is_trusted:
            raise WrongCertificate("")
        return super().write(data)


def fingerprint_of(certificate: bytes) -> str:
    """Return the SHA-256 of a certificate in DER, as 64 small hex digits."""
    return hashlib.sha256(certificate).hexdigest()


def client_context(address: ServerAddress) -> ssl.SSLContext | None:
    """Return how a server's certificate is verified; None where there is no TLS.

    With a fingerprint: that certificate and no other. Without: as usual, by the authorities that this computer trusts
    and by the name.
    """
    if not address.is_tls:
        return None
    if not address.fingerprint:
        return ssl.create_default_context()
    context = _PinnedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # the fingerprint is what is verified
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.fingerprint = address.fingerprint
    context.sslobject_class = _PinnedObject
    return context


def tls_fault(address: ServerAddress, error: BaseException) -> BlitzError | None:
    """Return the sentence for what went wrong with TLS; None if it was something else."""
    fault: BaseException | None = error
    seen: set[int] = set()
    while fault is not None and not isinstance(fault, ssl.SSLError) and id(fault) not in seen:
        seen.add(id(fault))
        fault = fault.exceptions[0] if isinstance(fault, BaseExceptionGroup) else fault.__cause__ or fault.__context__
    if isinstance(fault, WrongCertificate):
        return _another(address, fault.shown)
    if isinstance(fault, ssl.SSLCertVerificationError):
        return _not_verified(address, fault)
    if isinstance(fault, ssl.SSLError):
        reason = "" if fault.reason in _NO_TLS else f" ({(fault.reason or str(fault)).lower().replace('_', ' ')})"
        return ServerUnreachable(
            f"Cannot reach a Blitz server at {address}: what answers there does not speak TLS{reason}. "
            "If the server was started with --insecure, or listens on its own machine only, write http:// instead."
        )
    return None


def _another(address: ServerAddress, shown: str) -> CertificateMismatch:
    return CertificateMismatch(
        f"The server at {address} shows a certificate that begins with {shown[:_SHOWN_DIGITS] or 'nothing'}…, but "
        f"{address.fingerprint[:_SHOWN_DIGITS]}… is expected. Nothing was sent to it. If the server has been given a "
        "new certificate, paste the link that 'blitz token create' prints there now; if not, something else answers "
        "in its place: tell whoever runs the network."
    )


def _not_verified(address: ServerAddress, error: ssl.SSLCertVerificationError) -> CertificateMismatch:
    if error.verify_code in _PRIVATE:
        return CertificateMismatch(
            f"The server at {address} shows a certificate of its own, for which nobody vouches. Nothing was sent to "
            "it. Paste the link that 'blitz token create' prints on the server: it begins with blitz:// and says by "
            "which fingerprint the certificate is known."
        )
    reason = (error.verify_message or str(error)).rstrip(".")
    return CertificateMismatch(
        f"The certificate of {address} cannot be accepted: {reason}. Nothing was sent to it. Ask whoever runs the "
        "server for a valid certificate, or paste the link that 'blitz token create' prints there."
    )
