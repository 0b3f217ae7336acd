"""The nest: the walls of a container of Docker, the contract of a runtime, and nothing of one run that another sees.

All tests that need a nest are in this file, so that one process makes one nest. Its image is made first, and the
image below that on a machine that has none, which takes minutes.
"""

from __future__ import annotations

import inspect
import io
import os
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest
from docker import APIClient

from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.adapters.docker.engine import DockerEngine
from norn_tasks.adapters.nest.keeper import CAPABILITIES, NestKeeper
from norn_tasks.adapters.nest.roads import Nest, TwoRoads, fits
from norn_tasks.adapters.nest.runtime import NestRuntime
from norn_tasks.adapters.nest.trial import CLOSED, PROBE
from norn_tasks.adapters.runtimes.docker import DockerRuntime
from norn_tasks.domain.errors import Conflict, LeaseLost
from norn_tasks.domain.jobs.execution import ContainerExit
from norn_tasks.ports import Mount, Run, Runtime
from tests.contract import test_runtime as contract
from tests.contract.conftest import IMAGE
from tests.contract.moments import once, runs
from tests.fakes.stop import FakeWatch
from tests.servers import allowed, wait_until

pytestmark = pytest.mark.timeout(600)
CONTRACT = (
    partial(contract.test_a_fallen_fence_leaves_nothing, word="created"),
    partial(contract.test_a_fallen_fence_leaves_nothing, word="begun"),
    contract.test_it_is_recorded_before_it_is_begun_and_begun_before_it_runs,
    partial(contract.test_stdin_is_exactly_the_given_bytes, size=1_000_000),
    contract.test_without_stdin_it_is_closed,
    contract.test_long_output_keeps_its_head_and_tail,
    contract.test_output_over_its_limit_ends_the_run,
    contract.test_a_secret_reaches_the_code,
    contract.test_a_secret_in_two_pieces_does_not_come_back,
    contract.test_past_its_timeout_it_is_ended,
    contract.test_out_of_memory_is_told,
    contract.test_an_image_that_is_gone_is_told_before_anything_is_made,
    contract.test_a_cancelled_run_gets_sigterm_and_may_end,
    partial(contract.test_a_run_that_nobody_goes_on_with_ends_with_its_owner, field="logged", reason="draining"),
    contract.test_a_later_owner_gets_the_end_and_the_output,
    contract.test_an_adopted_run_is_gone_after_its_end,
    contract.test_what_is_gone_has_no_known_end,
    contract.test_a_container_whose_start_is_late_is_taken_back_and_its_code_never_runs,
    contract.test_a_container_is_removed_by_its_name,
    contract.test_a_leftover_of_the_same_owner_gives_way,
    partial(contract.test_anothers_container_never_gives_way, fence=5, execution="", refusal=LeaseLost),
    partial(contract.test_anothers_container_never_gives_way, fence=1, execution="-of-another", refusal=Conflict),
)
"""The facts of the runtimes' contract in which the nest has a way of its own."""


@dataclass
class Owner:
    """Hooks that record nothing."""

    def created(self, container: str) -> None:
        """Notes nothing."""

    def begun(self) -> None:
        """Notes nothing."""


@pytest.fixture
def base(app: str) -> Run:
    return Run(
        name=f"norn-x-{app}", app=app, owner=f"execution:{app}", image=IMAGE, argv=("true",), env={}, timeout=30,
        memory=32 * 2**20, cpus=1, network="none", grace=0.3, logged=False,
    )  # fmt: skip


def sh(text: str) -> tuple[str, ...]:
    return ("sh", "-c", text)


def ran(runtime: Runtime, run: Run) -> ContainerExit:
    return runtime.run(run, Owner(), FakeWatch().watch)


@pytest.mark.parametrize("fact", CONTRACT, ids=lambda fact: getattr(fact, "func", fact).__name__.removeprefix("test_"))
def test_the_contract_of_a_runtime(in_nest: NestRuntime, base: Run, fact: Callable[..., None]) -> None:
    run = replace(base, argv=contract.BOTH, env={"GREETING": "hello"}, logged=True)
    given = {"runtime": in_nest, "base": run, "owner": contract.Owner(in_nest)}
    wanted = inspect.signature(fact).parameters
    fact(**{name: each for name, each in given.items() if name in wanted})


@pytest.mark.parametrize("road", ["docker", "nest"])
def test_a_probe_from_inside_finds_the_same_walls_on_both_roads(
    in_nest: NestRuntime, clean_engine: EngineClient, base: Run, road: str
) -> None:
    runtime = in_nest if road == "nest" else DockerRuntime(DockerEngine(clean_engine))
    assert ran(runtime, replace(base, argv=sh(PROBE))).stdout.head.decode() == CLOSED


def test_a_run_has_the_environment_directory_and_user_of_its_image(
    in_nest: NestRuntime, base: Run, clean_engine: EngineClient, app: str
) -> None:
    lines = f"""FROM {IMAGE}
RUN echo 'app:x:1234:5678::/home/app:/bin/sh' >> /etc/passwd && echo 'extra:x:99:app' >> /etc/group
RUN mkdir -p /srv && echo kept > /srv/kept && echo lost > /srv/lost && chown 1234 /srv/kept
RUN rm /srv/lost && chmod 0600 /srv/kept
ENV COLOUR="blue green"
VOLUME /data
WORKDIR /srv
USER app
HEALTHCHECK CMD touch /tmp/checked
ENTRYPOINT ["sh", "-c", "id -u; id -g; id -G; pwd; echo $COLOUR $HOME $1; ls /srv; cat kept; ls /data", "-"]
CMD ["given"]
"""
    image = built(clean_engine, app, lines)
    ended = ran(in_nest, replace(base, image=image, argv=None))
    said = "1234\n5678\n5678 99\n/srv\nblue green /home/app given\nkept\nkept\n"
    assert (ended.exit_code, ended.stdout.head.decode(), ended.stderr.head) == (0, said, b"")


def built(engine: EngineClient, app: str, lines: str) -> str:
    """Builds an image of these lines and answers its id."""

    def build(client: APIClient) -> str:
        tag = f"norn-test/{app}:1"
        said = list(client.build(fileobj=io.BytesIO(lines.encode()), tag=tag, rm=True, labels={"norn.io/app": app}))
        assert b"error" not in said[-1], said[-3:]
        return str(client.inspect_image(tag)["Id"])

    return engine.ask(build)


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (sh("exit 3"), 3),
        (("/etc/passwd",), 126),
        (("/etc",), 126),
        (("nosuch",), 127),
        (sh("kill -SEGV $$"), 139),
        (sh("(sleep 60 &) ; exit 0"), 0),
        (sh("head -c 5 >/dev/null"), 0),
        (sh("exec cat /dev/zero | head -c 100000000 | sort >/tmp/x"), 137),
    ],
    ids=["exit", "not-executable", "directory", "not-found", "signal", "left-behind", "stdin-read-partly", "memory"],
)
def test_an_end_has_the_code_that_docker_gives_it(
    in_nest: NestRuntime, base: Run, argv: tuple[str, ...], code: int
) -> None:
    ended = ran(in_nest, replace(base, argv=argv, stdin=b"x" * 300_000))
    assert ended.exit_code == code or (code == 137 and ended.oom_killed), ended


def test_calls_at_once_share_nothing(in_nest: NestRuntime, base: Run) -> None:
    """Each writes a file and a variable of its own, and looks for those of others; afterwards nothing is left."""
    found: list[bytes] = []
    script = "ls /tmp; echo $MARK > /tmp/$MARK; cat; cat /tmp/*; ls /proc | grep -c '^[0-9]'; env | grep -c '^MARK='"

    def some(first: int) -> None:
        for n in range(first, first + 2):
            run = replace(
                base, name=f"{base.name}-{n}", argv=sh(script), env={"MARK": f"m{n}"}, stdin=f"b{n}\n".encode()
            )
            said = ran(in_nest, run).stdout.head.split()
            found.extend([b" ".join(said[:2])] if said[:2] == [f"b{n}".encode(), f"m{n}".encode()] else [b"wrong"])

    threads = [threading.Thread(target=some, args=[100 * n]) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(set(found)), len(found), b"wrong" in found) == (10, 10, False)


def test_the_nest_has_twelve_capabilities_and_no_device(nest: NestKeeper) -> None:
    host = nest._client.ask(lambda client: client.inspect_container(nest.name))["HostConfig"]
    seen = {key: host[key] for key in ("Privileged", "CapDrop", "Devices", "PidMode", "IpcMode", "NetworkMode")}
    assert seen == {
        "Privileged": False, "CapDrop": ["ALL"], "Devices": None, "PidMode": "", "IpcMode": "private",
        "NetworkMode": "norn-runs",
    }  # fmt: skip
    assert (sorted(host["CapAdd"]), host["RestartPolicy"]["Name"]) == (sorted(CAPABILITIES), "always")
    assert sorted(bind.split(":")[1] for bind in host["Binds"]) == ["/door", "/r"]


def test_only_the_workers_account_may_speak_to_it(nest: NestKeeper) -> None:
    status = (nest.door.directory / "nest.sock").stat()
    assert (oct(status.st_mode & 0o777), status.st_uid, oct(nest.door.directory.stat().st_mode & 0o777)) == (
        "0o600", os.getuid(), "0o700",
    )  # fmt: skip


@pytest.mark.parametrize(
    "words",
    [
        b"",
        b"{",
        b"[]\n",
        b"{}\n",
        b'{"do": "x"}\n',
        b'{"do": "run"}\n',
        b'{"do": "attach", "id": 1}\n',
        b"\xff" * 99 + b"\n",
    ],
)
def test_a_bad_request_does_not_disturb_the_nest(nest: NestKeeper, words: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        nest.door._connect(connection)
        connection.settimeout(10)
        connection.sendall(words)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            continue
    assert nest.trusted() is not None


@pytest.mark.parametrize(
    "more", [{"writable": True}, {"mounts": (Mount("/srv", "/srv", host=True),)}], ids=["writable", "volumes"]
)
def test_what_the_nest_does_not_have_goes_through_docker(base: Run, more: dict[str, object]) -> None:
    assert (fits(base), fits(replace(base, **more))) == (True, False)


@pytest.fixture
def roads(nest: NestKeeper, in_nest: NestRuntime, clean_engine: EngineClient) -> TwoRoads:
    found = TwoRoads(DockerRuntime(DockerEngine(clean_engine)), in_nest, Nest(nest))
    found.prepare(IMAGE, "any", FakeWatch().watch)
    return found


def test_a_run_that_fits_goes_into_the_nest_and_another_through_docker(roads: TwoRoads, base: Run) -> None:
    assert [ran(roads, each).place for each in (base, replace(base, writable=True))] == ["nest", ""]


def test_without_a_nest_runs_go_through_docker(
    in_nest: NestRuntime, clean_engine: EngineClient, base: Run, tmp_path: Path
) -> None:
    nowhere = Nest(NestKeeper(clean_engine, "nowhere", tmp_path))
    ended = ran(TwoRoads(DockerRuntime(DockerEngine(clean_engine)), in_nest, nowhere), base)
    assert (ended.exit_code, ended.place) == (0, "")


def test_a_run_of_an_earlier_life_of_the_nest_has_no_known_end(roads: TwoRoads, base: Run) -> None:
    assert roads.adopt(base, "nest-0123456789ab-1-norn-x-1", FakeWatch(token=2).watch) is None


def test_a_nest_that_ends_takes_its_runs_with_it_and_serves_again(nest: NestKeeper, roads: TwoRoads, base: Run) -> None:
    """The engine starts it again, and a worker tries it again before it is used."""

    def end(client: APIClient) -> None:
        client.exec_start(client.exec_create(nest.name, ["sh", "-c", "kill -TERM 1"])["Id"])

    owner = Owner()
    owner.begun = lambda: once(lambda: runs(roads.fast, base.name), lambda: nest._client.ask(end))
    run = replace(base, argv=("sleep", "60"), logged=True)
    ended = roads.run(run, owner, FakeWatch().watch)
    assert (ended.exit_code, ended.interrupted) == (None, True)
    wait_until(nest.answers, allowed(30), "the engine starts it again")
    assert nest.trusted() is None
    nest.make()
    assert (nest.trusted() is not None, roads.fast.on.containers()) == (True, ())
