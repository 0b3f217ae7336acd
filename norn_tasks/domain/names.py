"""Checks names against lists of allowed characters: in infraspecs, in the API's paths and bodies, and in CLI arguments.

Each function returns its argument if it is valid, and raises `InvalidRequest` otherwise. Nothing is normalised, so each
name has exactly one spelling.
"""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.domain.wording import one_of, shown

APP_NAME = r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?"
ENV_KEY = r"[A-Za-z_][A-Za-z0-9_.-]{0,127}"
DNS_LABEL = r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?"
FULL_SHA = r"[0-9a-f]{40}"
STAGE = r"[A-Za-z][A-Za-z0-9_.-]{0,127}"
RESERVED_ENV = "NORN_"

_HOST_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOST = rf"{_HOST_LABEL}(\.{_HOST_LABEL})*"
_HOST_HEADER = r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?"
# Characters that `git check-ref-format` refuses, in addition to control characters.
_REF_REFUSED = re.compile(r"[\x00-\x20\x7f-\xa0~^:?*\[\\\ud800-\udfff]|\.\.|@\{|//|(?:^|/)\.|\.lock(?:/|$)")
_URL_USER = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_SCP_LIKE = re.compile(rf"{_URL_USER}@{_HOST}:(?P<path>[^-:][^:]*)", re.IGNORECASE)
# No percent escape may stand for a control character, because git once read `%0a` as a line end in credentials.
_REPO_PATH = re.compile(r"(?:[A-Za-z0-9_.~/+-]|%[2-7][0-9A-Fa-f])+")


def app_name(text: str) -> str:
    """Returns the text if it is a valid name of an app."""
    rule = "a lower-case letter, then letters, digits and hyphens, 40 at most, no hyphen last"
    return _matching(APP_NAME, text, f"an app name ({rule})", _slug(text)[:40], "blog")


def env_key(text: str) -> str:
    """Returns the text if it is a name of an environment variable that an app may set for itself.

    No hint suggests a corrected name, because that would be another variable, which the app's program does not read.
    """
    rule = "letters, digits, `_`, `.` and `-`, no digit, `.` or `-` first, 128 at most"
    _matching(ENV_KEY, text, f"an environment name ({rule})", "", "LOG_LEVEL")
    if text.startswith(RESERVED_ENV):
        raise InvalidRequest(f"{shown(text)} is reserved: NORN_* is set by Norn alone", hint="choose another name")
    return text


def dns_label(text: str) -> str:
    """Returns the text if it is a DNS label that may name a Kubernetes Service (RFC 1035)."""
    rule = "a lower-case letter, then letters, digits and hyphens, 63 at most, no hyphen last"
    return _matching(DNS_LABEL, text, f"a DNS label ({rule})", _slug(text)[:63], "blog")


def hostname(text: str) -> str:
    """Returns the text if it is a public host name: two or more labels, lower case, no wildcard (RFC 1123)."""
    is_name = re.fullmatch(_HOST, text, re.ASCII) and len(text) <= 253
    if not is_name or "." not in text or text.rsplit(".", 1)[1].isdigit():
        raise InvalidRequest(
            f"{shown(text)} is not a host name (lower-case labels joined by dots)",
            hint="write one such as blog.example.com",
        )
    return text


def host_header(text: str) -> str:
    """Returns the text if it may be the Host header of a request: a name or an address, perhaps with a port."""
    if not re.fullmatch(_HOST_HEADER, text, re.ASCII):
        raise InvalidRequest(f"{shown(text)} is not a host", hint="write a name such as blog.example.com")
    return text


def ref(text: str) -> str:
    """Returns the text if `git check-ref-format --branch` accepts it, and it is printable and 244 bytes at most."""
    bad = (
        not text.isprintable()
        or _REF_REFUSED.search(text)
        or text.startswith(("-", "/"))
        or text.endswith(("/", "."))
        or text in ("", "@", "HEAD")
        or len(text.encode("utf-8", "surrogatepass")) > 244
    )
    if bad:
        raise InvalidRequest(
            f"{shown(text)} is not a git branch, tag or commit", hint="write it as `git branch` prints it"
        )
    return text


def stage_name(text: str) -> str:
    """Returns the text if it is a valid name of a stage in a Dockerfile."""
    return _matching(STAGE, text, "the name of a stage (a letter, then letters, digits, `_`, `.` and `-`)", "", "test")


def repo_url(text: str) -> str:
    """Returns the text if git may clone from it: https, ssh, or `git@host:path`, without a password."""
    hint = "write https://host/path.git, ssh://git@host/path.git or git@host:path.git"
    scp_like = _SCP_LIKE.fullmatch(text)
    if scp_like:
        path, good = scp_like["path"], True
    else:
        parts = _split(text, ("https", "ssh"), hint)
        path, good = parts.path.lstrip("/"), not (parts.query or parts.fragment)
    if not good or not _REPO_PATH.fullmatch(path):
        raise InvalidRequest("the address does not name a repository", hint=hint)
    return text


def web_url(text: str) -> str:
    """Returns the text if a page may link to it: http or https, without a user name or password."""
    _split(text, ("https", "http"), "write an address that begins with https://")
    return text


def _split(text: str, schemes: tuple[str, ...], hint: str) -> SplitResult:
    """Splits a URL into its parts; no error message quotes the URL, because any part of it may be a password."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise InvalidRequest("this is not an address", hint=hint) from None
    user, at, _ = parts.netloc.rpartition("@")
    if at and (parts.scheme != "ssh" or not re.fullmatch(_URL_USER, user)):
        raise InvalidRequest("the address names a user or a password, and specs are shown to many people", hint=hint)
    if parts.scheme not in schemes or not text.startswith(f"{parts.scheme}://"):
        raise InvalidRequest(f"the address does not begin with {one_of(f'{s}://' for s in schemes)}", hint=hint)
    if port == 0 or not re.fullmatch(rf"{_HOST}|[0-9a-f]*:[0-9a-f:.]*", parts.hostname or ""):
        raise InvalidRequest("the address has no valid host", hint=hint)
    if not re.fullmatch(r"[\x21-\x7e]{1,2048}", text) or set(text) & set('"<>\\^`{|}'):
        raise InvalidRequest("the address has a character that is not allowed", hint=hint)
    return parts


def _matching(pattern: str, text: str, what: str, repaired: str, example: str) -> str:
    if re.fullmatch(pattern, text, re.ASCII):
        return text
    likely = repaired if re.fullmatch(pattern, repaired, re.ASCII) else ""
    raise InvalidRequest(
        f"{shown(text)} is not {what}", hint=f"write {likely}" if likely else f"write one such as {example}"
    )


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text[:200].lower()).strip("-")
