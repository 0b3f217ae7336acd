"""The server's URL and its token, from options, the environment, config.toml, or the token that `norn up` wrote on this
machine.

`NORN_URL` (default http://localhost:8800) and `NORN_TOKEN` are read here; `NORN_APP` is read in `project`.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from norn_cli.errors import CliError, Usage

DEFAULT_URL = "http://localhost:8800"

_CONTEXT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class Context:
    """A server under a name that the user chose; `token` is empty if none is kept."""

    url: str
    token: str = field(default="", repr=False)


@dataclass(frozen=True)
class Contexts:
    """The content of config.toml: the servers by name, and the one that is used by default."""

    current: str = ""
    by_name: Mapping[str, Context] = field(default_factory=dict)

    def get(self, name: str) -> Context:
        """Returns a context; raises Usage if no context has that name."""
        if name not in self.by_name:
            known = ", ".join(sorted(self.by_name)) or "none yet"
            raise Usage(f"there is no context {name} (known: {known})", hint=f"norn context set {name} --url URL")
        return self.by_name[name]

    def with_context(self, name: str, context: Context) -> Contexts:
        """Returns these contexts with one added or replaced; raises Usage for an invalid name. The first context that
        is added becomes the current one.
        """
        if not _CONTEXT_NAME.fullmatch(name):
            raise Usage(f"{name!r} is not a context's name: letters, digits, dot, dash and underscore")
        return replace(self, current=self.current or name, by_name={**self.by_name, name: context})


@dataclass(frozen=True)
class Profile:
    """The server's base URL without a final slash, and the token (may be empty)."""

    url: str
    token: str = field(default="", repr=False)

    @property
    def loopback(self) -> bool:
        """True if the server is on this machine."""
        return is_loopback(self.url)


def config_file() -> Path:
    """Returns the path of the file of contexts: `~/.config/norn/config.toml` on Linux."""
    import platformdirs

    return platformdirs.user_config_path("norn") / "config.toml"


def load_contexts(path: Path | None = None) -> Contexts:
    """Returns the contexts in the file, none if there is no file; raises CliError if it cannot be read."""
    path = path or config_file()
    try:
        content = tomllib.loads(path.read_text("utf-8"))
        named = {name: Context(str(at["url"]), str(at.get("token", ""))) for name, at in _tables(content).items()}
    except FileNotFoundError:
        return Contexts()
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise CliError(
            f"{path} cannot be read: {error}", hint="correct it, or remove it and set the contexts again"
        ) from error
    return Contexts(str(content.get("current", "")), named)


def save_contexts(contexts: Contexts, path: Path | None = None) -> Path:
    """Writes the contexts into a file that only its owner can read; returns its path."""
    path = path or config_file()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(_toml(contexts))
    draft.replace(path)
    return path


def find_profile(
    *, url: str = "", token: str = "", context: str = "", environ: Mapping[str, str] | None = None
) -> Profile:
    """Finds the server and the token: from options, else from the environment, else from the current context.

    A context's token is sent to that context's server only, the token of `norn up` to this machine only.
    """
    environ = os.environ if environ is None else environ
    contexts = load_contexts()
    named = contexts.get(context) if context else None
    current = named or contexts.by_name.get(contexts.current)
    typed = url or (named.url if named else "") or environ.get("NORN_URL", "")
    chosen = checked_url(typed or (current.url if current else DEFAULT_URL))
    kept = current.token if current and checked_url(current.url) == chosen else ""
    given = token or (kept if named else "") or environ.get("NORN_TOKEN", "") or kept
    return Profile(chosen, checked_token(given or bootstrap_token(chosen, environ)))


def checked_url(url: str) -> str:
    """Returns a server's URL in normal form, for comparison; raises Usage if it is not the URL of a server."""
    try:
        parts = urlsplit(url.strip())
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        good = False
    if not good or parts.query or parts.fragment:
        raise Usage(f"{url} is not the URL of a server", hint=f"such as {DEFAULT_URL}; norn context list shows yours")
    return parts.geturl().rstrip("/")


def checked_token(token: str) -> str:
    """Returns a token that an HTTP header can hold; raises Usage for any other text, without printing it."""
    token = token.strip()
    if not token.isascii() or not token.isprintable() or " " in token:
        raise Usage("the token holds characters that no token has", hint="copy it again: it looks like norn_…")
    return token


def is_loopback(url: str) -> bool:
    """Returns True if a URL names this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def bootstrap_token(url: str, environ: Mapping[str, str]) -> str:
    """Returns the token that `norn up` wrote into its data directory; empty if the server is not on this machine, or if
    the file cannot be read.
    """
    if not is_loopback(url):
        return ""
    try:
        return (_data_dir(environ) / "token").read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _data_dir(environ: Mapping[str, str]) -> Path:
    if environ.get("NORN_DATA_DIR"):
        return Path(environ["NORN_DATA_DIR"])
    if os.geteuid() == 0:
        return Path("/var/lib/norn")
    return Path(environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "norn"


def _tables(content: Mapping[str, object]) -> Mapping[str, Mapping[str, object]]:
    tables = content.get("contexts", {})
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise ValueError("contexts must be tables such as [contexts.home]")
    return tables


def _toml(contexts: Contexts) -> str:
    lines = [f"current = {_quoted(contexts.current)}", ""]
    for name, context in sorted(contexts.by_name.items()):
        lines += [f"[contexts.{_quoted(name)}]", f"url = {_quoted(context.url)}"]
        lines += [f"token = {_quoted(context.token)}"] if context.token else []
        lines += [""]
    return "\n".join(lines)


def _quoted(text: str) -> str:
    # A JSON string of printable characters is a TOML basic string too.
    return json.dumps(text, ensure_ascii=False)
