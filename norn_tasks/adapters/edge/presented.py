"""Reads the certificate that the edge presents in a TLS handshake. The handshake makes the edge request a certificate
that is missing.
"""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime
from typing import Any

from norn_tasks.domain.tunnel.certificate import Certificate

SECONDS = 3.0
"""The most seconds of one handshake. If the issuer takes longer, the edge continues to wait, and a later handshake
succeeds.
"""


class NoCertificate(Exception):
    """The edge presents no valid certificate; the text says why, as far as the handshake shows."""


class NotYet(NoCertificate):
    """The edge is still getting the certificate."""


class EdgeSilent(Exception):
    """Nothing listens at the edge's port."""


def presented(host: str, port: int, seconds: float = SECONDS) -> Certificate:
    """Returns the certificate that the edge of this machine presents for a name; raises NoCertificate or EdgeSilent."""
    found, _ = _handshake(host, port, seconds, _any())
    trusting = ssl.create_default_context(cadata=ssl.DER_cert_to_PEM_cert(found))
    # any issuer is accepted; only the dates and the name are checked
    trusting.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return _read(_handshake(host, port, seconds, trusting)[1])


def _any() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _handshake(host: str, port: int, seconds: float, context: ssl.SSLContext) -> tuple[bytes, dict[str, Any]]:
    """Returns the certificate in binary form, and its fields if the context verifies it."""
    try:
        plain = socket.create_connection(("127.0.0.1", port), timeout=seconds)
    except OSError as error:
        raise EdgeSilent(str(error.strerror or error)) from error
    try:
        with context.wrap_socket(plain, server_hostname=host) as secure:
            return secure.getpeercert(binary_form=True) or b"", secure.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        raise NoCertificate(error.verify_message) from error
    except TimeoutError as error:
        raise NotYet("the issuer takes long") from error
    except (ssl.SSLError, OSError) as error:
        raise NoCertificate("the handshake failed") from error
    finally:
        plain.close()


def _read(fields: dict[str, Any]) -> Certificate:
    issuer = dict(pair for part in fields["issuer"] for pair in part)
    return Certificate(
        str(issuer.get("organizationName") or issuer.get("commonName") or "an unnamed issuer"),
        _moment(fields["notBefore"]),
        _moment(fields["notAfter"]),
    )


def _moment(text: str) -> datetime:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC)
