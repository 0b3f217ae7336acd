"""Errors that mean that the target of a request does not exist, or is in the wrong state."""

from __future__ import annotations

from norn_tasks.domain.errors.base import NornError


class NotFound(NornError):
    """Nothing has that name or id."""

    code, status = "not_found", 404


class AppNotFound(NotFound):
    """No app has that name."""

    code = "app_not_found"


class Conflict(NornError):
    """The target is in a state that does not allow this request now."""

    code, status = "conflict", 409


class HostTaken(Conflict):
    """Another app has this host name. The sentence names that app only if the caller may see it (`named`)."""

    code = "host_taken"

    def __init__(self, host: str, owner: str, *, named: bool = False, public: bool = False) -> None:
        field, word = ("hosts.external", "public") if public else ("hosts.internal", "internal")
        sentence = f"{field}: {host} is the {word} name of {owner if named else 'another app'}"
        super().__init__(sentence, hint=f"choose another {field}")
        self.host, self.owner, self.public = host, owner, public

    def naming_the_owner(self) -> HostTaken:
        """Returns the same error with the owner's name in it."""
        return HostTaken(self.host, self.owner, named=True, public=self.public)


class ServiceTaken(Conflict):
    """Another app owns the database or the namespace that an infraspec names."""

    code = "service_taken"


class NoService(Conflict):
    """The server has no shared service of the kind that an infraspec names."""

    code = "no_service"


class NotForged(Conflict):
    """The app has no infrastructure yet, because it was not forged."""

    code = "not_forged"


class NotDeployed(Conflict):
    """The app has no successful release yet."""

    code = "not_deployed"


class WrongRole(Conflict):
    """The command or request does not apply to apps of this role."""

    code = "wrong_role"


class ReleaseGone(Conflict):
    """The release is known, but its image no longer exists."""

    code = "release_gone"


class NotRecorded(Conflict):
    """This part of a call was not stored, because the app's infraspec says so."""

    code = "not_recorded"


class AlreadyRunning(Conflict):
    """Something of this kind is already running, and only one may run at a time."""

    code = "already_running"


class SecretsMissing(Conflict):
    """The spec names secrets that are not set."""

    code = "secrets_missing"


class SecretsLocked(Conflict):
    """A secret exists, but the key that decrypts it is missing."""

    code = "secrets_locked"
