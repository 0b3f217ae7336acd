"""Signs requests to S3 and IAM with an access key (AWS Signature Version 4)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl, quote, urlsplit

from norn_tasks.domain.secret import Secret

_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True)
class AccessKey:
    """An access key of a user."""

    id: str
    secret: Secret


@dataclass(frozen=True)
class SigningScope:
    """An access key with the region and the service for which its signatures are valid."""

    key: AccessKey
    region: str
    service: str


def signed(
    scope: SigningScope,
    method: str,
    url: str,
    body: bytes,
    at: datetime,
    headers: Mapping[str, str] | None = None,
    *,
    sha256: str = "",
) -> dict[str, str]:
    """Returns the headers of a request, with its signature.

    `headers` are further headers, with lower-case names. `sha256` is the checksum of the body, if the body itself is
    not passed.
    """
    parts, moment = urlsplit(url), at.strftime("%Y%m%dT%H%M%SZ")
    digest = sha256 or hashlib.sha256(body).hexdigest()
    given = {**(headers or {}), "host": parts.netloc, "x-amz-content-sha256": digest, "x-amz-date": moment}
    names = sorted(given)
    canonical = "\n".join((
        method, parts.path or "/", _query(parts.query), *(f"{name}:{given[name].strip()}" for name in names), "",
        ";".join(names), digest,
    ))  # fmt: skip
    where = f"{moment[:8]}/{scope.region}/{scope.service}/aws4_request"
    text = "\n".join((_ALGORITHM, moment, where, hashlib.sha256(canonical.encode()).hexdigest()))
    key = f"AWS4{scope.key.secret.reveal()}".encode()
    for word in where.split("/"):
        key = hmac.digest(key, word.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    said = f"{_ALGORITHM} Credential={scope.key.id}/{where}, SignedHeaders={';'.join(names)}, Signature={signature}"
    return {**given, "authorization": said}


def _query(query: str) -> str:
    pairs = sorted(parse_qsl(query, keep_blank_values=True))
    return "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in pairs)
