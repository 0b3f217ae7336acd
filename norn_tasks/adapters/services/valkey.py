"""Keys and topics of apps on one Valkey or Redis server. There is an ACL user for each app and kind of use, which can
use only its own keys.

Every permitted command is listed, so that new commands of later versions are forbidden until they are added here.
Commands such as SCAN and PUBSUB CHANNELS are forbidden: key patterns do not limit them, so they would show the keys or
users of other apps. CLIENT TRACKING is forbidden too, because its mode BCAST reports each key that any client changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import redis

from norn_tasks.domain.errors import ServiceDown, StepFailed
from norn_tasks.domain.secret import Secret

_SECONDS = 5
_BATCH = 1000
_CLOSED = (
    "-@admin", "-@dangerous", "-scan", "-randomkey", "-dbsize", "-pubsub", "-function", "-fcall", "-fcall_ro",
    "-client|tracking", "-client|caching",
)  # fmt: skip
_KEYS = (
    "+@string", "+@hash", "+@list", "+@set", "+@sortedset", "+@stream", "+@bitmap", "+@hyperloglog", "+@geo",
    "+@keyspace", "+@connection", "+@transaction", "+@scripting", "+@pubsub", *_CLOSED, "-script|flush",
    "-script|kill", "+info",
)  # fmt: skip
"""The rights on the keys of a namespace. INFO is included, because clients read the version from it and it shows no
keys.
"""
_TOPICS = ("+@stream", "+@connection", "+@transaction", "+exists", "+type", *_CLOSED, "+info")


def answers(url: str) -> bool:
    """Returns True if the server accepts commands."""
    try:
        with _client(url) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def require(url: str) -> None:
    """Raises ServiceDown if the server does not answer, and StepFailed if it refuses Norn's user."""
    with _asked(url) as client:
        client.ping()


def allow_keys(url: str, user: str, password: Secret, namespaces: tuple[str, ...]) -> None:
    """Lets a user work with the keys and channels of namespaces, with this password only."""
    patterns = [rule for name in namespaces for rule in (f"~{name}:*", f"&{name}:*")]
    _allow(url, user, password, patterns, _KEYS)


def allow_topics(url: str, user: str, password: Secret, topics: tuple[str, ...]) -> None:
    """Lets a user work with the streams of topics, with this password only."""
    _allow(url, user, password, [f"~{topic}" for topic in topics], _TOPICS)


def remove_keys(url: str, user: str, namespaces: tuple[str, ...], *, last: bool) -> None:
    """Deletes all keys of namespaces. `last`: the user has no other namespaces, and is deleted too."""
    with _asked(url) as client:
        for database in _databases(client, url):
            for name in namespaces:
                for keys in _batches(database, f"{name}:*"):
                    database.unlink(*keys)
        _forget(client, user, last=last)


def remove_topics(url: str, user: str, topics: tuple[str, ...], *, last: bool) -> None:
    """Deletes the streams of topics. `last`: the user has no other topics, and is deleted too."""
    with _asked(url) as client:
        for database in _databases(client, url) if topics else ():
            database.unlink(*topics)
        _forget(client, user, last=last)


def _allow(url: str, user: str, password: Secret, patterns: list[str], rights: tuple[str, ...]) -> None:
    with _asked(url) as client:
        rules = ["reset", "on", f">{password.reveal()}", *patterns, *rights]
        client.execute_command("ACL SETUSER", user, *rules)
        _keep_users(client)


def _forget(client: Any, user: str, *, last: bool) -> None:
    if last:
        client.execute_command("ACL DELUSER", user)
        _keep_users(client)


def _keep_users(client: Any) -> None:
    """Saves the users to the server's disk. A server without an ACL file stores them in its configuration file."""
    try:
        client.execute_command("ACL SAVE")
    except redis.ResponseError:
        with suppress(redis.ResponseError):
            client.execute_command("CONFIG REWRITE")


def _databases(client: Any, url: str) -> Iterator[Any]:
    """Yields a client for each database that has keys. An app may use any database, because key patterns apply in all
    of them.
    """
    for name in client.info("keyspace"):
        with _client(url) as database:
            # A database number in the URL would override the number in the argument.
            database.connection_pool.connection_kwargs["db"] = int(name.removeprefix("db"))
            yield database


def _batches(client: Any, pattern: str) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    for key in client.scan_iter(match=pattern, count=_BATCH):
        batch.append(key)
        if len(batch) >= _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


@contextmanager
def _asked(url: str) -> Iterator[Any]:
    """Yields a client; raises ServiceDown, or StepFailed if the server refuses a command. Neither error quotes a
    command.
    """
    try:
        with _client(url) as client:
            yield client
    except (redis.ConnectionError, redis.TimeoutError) as error:
        raise ServiceDown(f"the key-value server for apps does not answer: {error}", hint=_HINT) from error
    except redis.RedisError as error:
        raise StepFailed(f"the key-value server for apps refuses: {error}", hint=_HINT) from error


def _client(url: str) -> Any:
    return redis.Redis.from_url(url, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS)


_HINT = "norn doctor; docs/services.md says what the user of NORN_SERVICES_KV_URL needs"
