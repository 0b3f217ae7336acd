"""Rules about several fields together. They are checked after each field has been checked alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from norn_tasks.domain.infraspec.model import Infraspec
from norn_tasks.domain.infraspec.words import Network, Role, RuntimeName
from norn_tasks.domain.infraspec.yaml.positions import At, Finding, Path
from norn_tasks.domain.services import BUCKET_VARIABLES, ServiceKind
from norn_tasks.domain.wording import shown


def contradictions(spec: Infraspec) -> Iterator[Finding]:
    """Yields a mistake for each broken rule."""
    for rule in _RULES:
        yield from rule(spec)


def _stage_has_a_test(spec: Infraspec) -> Iterator[Finding]:
    if spec.build.test_stage and spec.build.test is None:
        yield Finding(
            ("build", "testStage"),
            "there is no build.test to run in it",
            "add build.test, or take it out",
            At.KEY,
            given=(("build", "test"),),
        )


def _image_is_not_built(spec: Infraspec) -> Iterator[Finding]:
    if spec.image is None:
        return
    for section, attribute, name in _OF_A_BUILD:
        if attribute in getattr(spec, section).model_fields_set:
            path: Path = (section, name)
            hint = "take one of the two out"
            yield Finding(path, "image is deployed as it is: nothing is built", hint, At.KEY, given=(("image",),))


_OF_A_BUILD = (
    ("build", "dockerfile", "dockerfile"),
    ("build", "test_stage", "testStage"),
    ("repo", "url", "url"),
)
"""The fields that only a build uses: their section, their attribute, and their name in the file."""


def _repo_has_an_address(spec: Infraspec) -> Iterator[Finding]:
    for attribute, name in (("branch", "branch"), ("auto_deploy", "autoDeploy"), ("paths", "paths")):
        if spec.repo.url is None and attribute in spec.repo.model_fields_set:
            yield Finding(
                ("repo", name),
                "it has no meaning without repo.url",
                "add repo.url, or take it out",
                At.KEY,
                given=(("repo", "url"),),
            )


def _warm_fits(spec: Infraspec) -> Iterator[Finding]:
    warm, most = spec.function.warm, spec.function.warm_max
    if warm > most:
        field = "warm" if "warm" in spec.function.model_fields_set else "warmMax"
        yield Finding(
            ("function", field),
            f"function.warm {warm} is more than function.warmMax {most}",
            "raise warmMax, or lower warm",
            given=(("function", "warm"), ("function", "warmMax")),
        )


def _one_path_of_health(spec: Infraspec) -> Iterator[Finding]:
    given = (("healthcheck",), ("health", "path"))
    if spec.healthcheck is not None and spec.health.path is not None:
        yield Finding(("healthcheck",), "health.path says it too", "take one of the two out", At.KEY, given=given)
    if spec.checked.path is None:
        for name in ("host", "status"):
            if name in spec.health.model_fields_set:
                hint = "add health.path, or take it out"
                yield Finding(("health", name), "no request is made without health.path", hint, At.KEY, given=given)


def _name_is_free(spec: Infraspec) -> Iterator[Finding]:
    if spec.role is Role.WEBSERVER and spec.internal_host == "localhost":
        path: Path = ("hosts", "internal") if spec.hosts.internal else ("app",)
        message = "localhost is every container's name for itself"
        yield Finding(path, message, "choose another hosts.internal", given=(("hosts", "internal"),))


def _volumes_have_a_place(spec: Infraspec) -> Iterator[Finding]:
    for place, volume in enumerate(spec.volumes):
        if (volume.size is None) == (volume.host_path is None):
            at: Path = ("volumes", place)
            hint = "write one of the two, such as size: 1g"
            yield Finding(at, "a volume has either size or hostPath", hint, given=((*at, "size"), (*at, "hostPath")))


def _volumes_are_dockers(spec: Infraspec) -> Iterator[Finding]:
    if spec.volumes and spec.runtime is RuntimeName.INCUS:
        yield Finding(
            ("volumes",),
            "volumes are on the Docker engine, which runtime: incus does not use",
            "write runtime: docker, or leave volumes out",
            At.KEY,
        )


def _nothing_is_listed_twice(spec: Infraspec) -> Iterator[Finding]:
    events = spec.services.events
    yield from _twice(("secrets",), spec.secrets)
    yield from _twice(("repo", "paths"), spec.repo.paths)
    yield from _twice(("services", "events", "topics"), events.topics if events else ())
    yield from _twice(("volumes",), [volume.name for volume in spec.volumes], "name")
    yield from _twice(("volumes",), [volume.mount_path for volume in spec.volumes], "mountPath")


def _twice(path: Path, words: Sequence[str], field: str = "") -> Iterator[Finding]:
    for place, word in enumerate(words):
        if word in words[:place]:
            inner: Path = (*path, place, field) if field else (*path, place)
            yield Finding(inner, f"{shown(word)} is there already", "take one of the two out")


def _one_source_per_variable(spec: Infraspec) -> Iterator[Finding]:
    for place, name in enumerate(spec.secrets):
        if name in spec.env:
            yield Finding(("secrets", place), f"{name} is set in env too", "keep it in one of the two")


def _services_are_reached(spec: Infraspec) -> Iterator[Finding]:
    if spec.network is not Network.NONE:
        return
    for grant in spec.services.grants():
        hint = "take one of the two out: without a network no container reaches a service"
        at: Path = ("services", grant.kind)
        yield Finding(at, "network is none", hint, At.KEY, given=(("network",),))


def _migrations_have_a_database(spec: Infraspec) -> Iterator[Finding]:
    named, services = spec.migrations.database, spec.services.postgres
    if spec.migrations.command is None or named is None:
        return
    if services is None or services.database != named:
        hint = "leave it out, or name the database of services.postgres: Norn takes snapshots of no other database"
        given: tuple[Path, ...] = (("services", "postgres", "database"),)
        yield Finding(("migrations", "database"), f"{named} is not the app's database", hint, given=given)


def _database_is_no_scratch(spec: Infraspec) -> Iterator[Finding]:
    postgres = spec.services.postgres
    if postgres is not None and re.fullmatch(r"norn-(scratch|replaced)-.*", postgres.database):
        hint = "write another name: restores make and remove databases with such names"
        yield Finding(("services", "postgres", "database"), f"{postgres.database} is a name that Norn uses", hint)


def _services_have_their_variables(spec: Infraspec) -> Iterator[Finding]:
    services = spec.services
    kinds = {grant.kind.variable: grant.kind for grant in services.grants()}
    plain = {"KV_PREFIX": ServiceKind.KV, "EVENTS_TOPICS": ServiceKind.EVENTS}
    owners = kinds | {name: plain[name] for name in services.variables()}
    owners |= dict.fromkeys(BUCKET_VARIABLES if services.storage else (), ServiceKind.STORAGE)
    places: list[tuple[Path, str]] = [(("env", name), name) for name in spec.env]
    places += [(("secrets", place), name) for place, name in enumerate(spec.secrets)]
    for at, name in places:
        if name in owners:
            hint = f"take it out; an app with a server of its own leaves services.{owners[name]} out instead"
            yield Finding(at, f"{name} is set by services.{owners[name]}", hint, At.KEY)


_RULES: tuple[Callable[[Infraspec], Iterator[Finding]], ...] = (
    _stage_has_a_test,
    _image_is_not_built,
    _repo_has_an_address,
    _warm_fits,
    _one_path_of_health,
    _name_is_free,
    _volumes_have_a_place,
    _volumes_are_dockers,
    _nothing_is_listed_twice,
    _one_source_per_variable,
    _services_are_reached,
    _migrations_have_a_database,
    _database_is_no_scratch,
    _services_have_their_variables,
)
