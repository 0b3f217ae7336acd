"""The name of an image in a registry, as `image:` of an infraspec and the ref of a deploy write it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.domain.wording import shown

_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[0-9a-f:]+\])"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
_DIGEST = r"sha256:[0-9a-f]{64}"
_REFERENCE = re.compile(
    rf"(?P<repository>(?:{_HOST}(?::[0-9]{{1,5}})?/)?{_PART}(?:/{_PART})*)(?::(?P<tag>{_TAG}))?(?:@(?P<digest>{_DIGEST}))?",
    re.ASCII,
)
_MOST = 255
"""The most characters of a repository's name; no registry has longer names."""
_HINT = "write one such as ghcr.io/ada/blog:1.4, or with @sha256: and its digest"


@dataclass(frozen=True)
class ImageReference:
    """A repository with a tag or a digest; if it has neither, its tag is `latest`."""

    repository: str
    tag: str | None = None
    digest: str | None = None

    def __str__(self) -> str:
        tag, digest = (f":{self.tag}" if self.tag else "", f"@{self.digest}" if self.digest else "")
        return f"{self.repository}{tag}{digest}"

    def at(self, ref: str) -> ImageReference:
        """Returns the reference to another tag or digest in the same repository; raises InvalidRequest if `ref` is
        neither.
        """
        if re.fullmatch(_DIGEST, ref, re.ASCII):
            return replace(self, tag=None, digest=ref)
        if re.fullmatch(_TAG, ref, re.ASCII):
            return replace(self, tag=ref, digest=None)
        raise InvalidRequest(
            f"ref: {shown(ref)} is neither a tag of {self.repository} nor a digest",
            hint="write a tag such as 1.4, or sha256: and 64 hexadecimal digits",
        )

    def by_digest(self, digest: str) -> str:
        """Returns the reference to the image with this digest, no matter which tags it has."""
        return f"{self.repository}@{digest}"


def parse(text: str) -> ImageReference:
    """Returns the parts of a reference; raises InvalidRequest if the text does not name an image."""
    found = _REFERENCE.fullmatch(text)
    if found is None or len(found["repository"]) > _MOST or re.fullmatch(r"[0-9a-f]{64}", found["repository"]):
        raise InvalidRequest(f"{shown(text)} is not the name of an image", hint=_HINT)
    _require_one_registry(text, found["repository"])
    return ImageReference(found["repository"], found["tag"], found["digest"])


def _require_one_registry(text: str, repository: str) -> None:
    """Raises InvalidRequest if engines would read the first part as a host, but other programs as part of a path.

    As part of a path, it would belong to Docker Hub. Then credentials for Docker Hub could be sent to that host, or
    credentials for that host to Docker Hub.
    """
    first, slash, _ = repository.partition("/")
    if slash and first != first.lower() and not set(first) & set(".:"):
        raise InvalidRequest(
            f"{shown(text)} is not the name of an image: {first} may be a registry or a path",
            hint="write it in lower case, or a registry with its port",
        )


def checked(text: str) -> str:
    """Returns the text if it names an image; raises InvalidRequest."""
    return str(parse(text))


def revision_of(digest: str) -> str:
    """Returns the revision of a release of the image with this digest: `img-` and the digest's first 12 digits."""
    return f"img-{digest.removeprefix('sha256:')[:12]}"
