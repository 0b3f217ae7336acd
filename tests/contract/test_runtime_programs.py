"""Images and programs of every kind, run by Docker and by the nest (the container in which crun starts runs): their
code, output and end are the same.
"""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from docker import APIClient

from norn_tasks.adapters.docker.client import APP, EngineClient
from norn_tasks.adapters.docker.engine import DockerEngine
from norn_tasks.adapters.nest.runtime import NestRuntime
from norn_tasks.adapters.runtimes.docker import DockerRuntime
from norn_tasks.domain.jobs.execution import ContainerExit
from norn_tasks.ports import Run, Runtime
from tests.contract.conftest import IMAGE, remove_labelled
from tests.fakes.stop import FakeWatch

pytestmark = pytest.mark.timeout(600)
MIB = 2**20
LONGEST_VARIABLE = 131_053
SCRATCH = f"""FROM {IMAGE} AS source
FROM scratch
COPY --from=source /bin/busybox /busybox
ENTRYPOINT ["/busybox"]
CMD ["echo", "from scratch"]
"""
BY_NAME = f"""FROM {IMAGE}
RUN echo 'app:x:1234:5678::/home/app:/bin/sh' >> /etc/passwd && echo 'extra:x:99:app' >> /etc/group
RUN mkdir -p /srv/work
ENV COLOUR="blue green"
VOLUME /data
WORKDIR /srv/work
USER app
HEALTHCHECK --interval=1s CMD touch /tmp/checked
ONBUILD RUN touch /tmp/built
ENTRYPOINT ["sh", "-c", "id -u; id -g; id -G; pwd; echo $COLOUR $HOME $1; ls -A /data /tmp; touch /data/a", "-"]
CMD ["given"]
"""
BY_NUMBER = f"""FROM {IMAGE}
USER 4321:8765
CMD ["sh", "-c", "id -u; id -g; id -G; echo $HOME; touch /tmp/mine && stat -c %u:%g /tmp/mine"]
"""
BOUND = f"""FROM {IMAGE}
ENTRYPOINT ["cat"]
"""


@dataclass
class Owner:
    """Hooks that record nothing."""

    def created(self, container: str) -> None:
        """Records nothing."""

    def begun(self) -> None:
        """Records nothing."""


@pytest.fixture(params=["docker", "nest"])
def runtime(request: pytest.FixtureRequest) -> Runtime:
    if request.param == "nest":
        nest: NestRuntime = request.getfixturevalue("in_nest")
        return nest
    engine: EngineClient = request.getfixturevalue("clean_engine")
    return DockerRuntime(DockerEngine(engine))


@pytest.fixture
def base(app: str) -> Run:
    return Run(
        name=f"norn-x-{app}", app=app, owner=f"execution:{app}", image=IMAGE, argv=None, env={}, timeout=30,
        memory=32 * MIB, cpus=1, network="none", grace=0.3, logged=False,
    )  # fmt: skip


def sh(text: str) -> tuple[str, ...]:
    return ("sh", "-c", text)


def ran(runtime: Runtime, run: Run) -> ContainerExit:
    return runtime.run(run, Owner(), FakeWatch().watch)


@pytest.fixture(scope="module")
def built(engine: EngineClient) -> Iterator[dict[str, str]]:
    """The ids of the images of this file's recipes."""
    app = f"t{uuid.uuid4().hex[:10]}"

    def build(client: APIClient, lines: str, number: int) -> str:
        tag = f"norn-test/{app}:{number}"
        said = list(client.build(fileobj=io.BytesIO(lines.encode()), tag=tag, rm=True, labels={"norn.io/app": app}))
        assert b"error" not in said[-1], said[-3:]
        return str(client.inspect_image(tag)["Id"])

    recipes = dict(enumerate((SCRATCH, BY_NAME, BY_NUMBER, BOUND)))
    yield {lines: engine.ask(lambda client, lines=lines, n=n: build(client, lines, n)) for n, lines in recipes.items()}
    remove_labelled(engine, {"label": f"{APP}={app}"})


@pytest.mark.parametrize(
    ("recipe", "argv", "said"),
    [
        (SCRATCH, None, "from scratch\n"),
        (SCRATCH, ("/busybox", "pwd"), "/\n"),
        (BY_NAME, None, "1234\n5678\n5678 99\n/srv/work\nblue green /home/app given\n/data:\n\n/tmp:\n"),
        (BY_NUMBER, None, "4321\n8765\n8765\n/\n4321:8765\n"),
    ],
    ids=["scratch", "scratch-other-command", "user-by-name", "user-by-number"],
)
def test_an_image_decides_on_command_user_and_directory(
    runtime: Runtime, base: Run, built: dict[str, str], recipe: str, argv: tuple[str, ...] | None, said: str
) -> None:
    ended = ran(runtime, replace(base, image=built[recipe], argv=argv))
    assert (ended.exit_code, ended.stdout.head.decode(), ended.stderr.head) == (0, said, b"")


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (("true",), 0),
        (sh("exit 3"), 3),
        (("/etc/passwd",), 126),
        (("/etc",), 126),
        (("nosuch",), 127),
        (sh("exit 126"), 126),
        (sh("exit 127"), 127),
        (sh("kill -SEGV $$"), 139),
        (sh("kill -KILL $$"), 137),
        (sh("sh -c 'kill -SEGV $$'; exit 5"), 5),
        (sh("(sleep 60 &) ; (sleep 60 >/dev/null 2>&1 &) ; exit 0"), 0),
        (sh("for n in 1 2 3 4 5 6 7 8; do sh -c 'exit 1' & done; wait; exit 0"), 0),
        (sh("head -c 5 >/dev/null"), 0),
        (("cat",), 0),
    ],
    ids=[
        "0", "3", "not-executable", "directory", "not-found", "own-126", "own-127", "signal", "killed", "child-signal",
        "left-behind", "forks", "stdin-read-partly", "stdin-read",
    ],
)  # fmt: skip
def test_a_program_ends_with_its_code(runtime: Runtime, base: Run, argv: tuple[str, ...], code: int) -> None:
    ended = ran(runtime, replace(base, argv=argv, stdin=b"x" * 300_000))
    assert (ended.exit_code, ended.oom_killed, ended.timed_out, ended.too_large) == (code, False, False, False)


def test_a_program_of_many_forks_ends_at_the_limit_of_processes(runtime: Runtime, base: Run) -> None:
    script = "n=0; while [ $n -lt 400 ]; do sleep 20 & n=$((n+1)); done; echo all"
    ended = ran(runtime, replace(base, argv=sh(script), memory=256 * MIB))
    assert ended.exit_code != 0 and b"all" not in ended.stdout.head


@pytest.mark.parametrize(
    ("argv", "more", "end"),
    [
        (sh("x=$(head -c 100000000 /dev/zero | tr '\\0' a); echo $x"), {}, "oom_killed"),
        (("sleep", "60"), {"timeout": 1}, "timed_out"),
        (sh("trap '' TERM; while :; do sleep 0.1; done"), {"timeout": 1}, "timed_out"),
        (("yes",), {"max_output": 100_000}, "too_large"),
    ],
    ids=["memory", "time", "time-unheard", "output"],
)
def test_a_limit_is_the_end_of_a_run(
    runtime: Runtime, base: Run, argv: tuple[str, ...], more: dict[str, int], end: str
) -> None:
    ended = ran(runtime, replace(base, argv=argv, **more))
    assert {word: getattr(ended, word) for word in ("oom_killed", "timed_out", "too_large")} == {
        word: word == end for word in ("oom_killed", "timed_out", "too_large")
    }


SIZES = (0, 1, LONGEST_VARIABLE - 1, LONGEST_VARIABLE, LONGEST_VARIABLE + 1, MIB, 5 * MIB)


@pytest.mark.parametrize("size", SIZES)
def test_a_body_is_read_and_written_to_the_last_byte(
    runtime: Runtime, base: Run, built: dict[str, str], size: int
) -> None:
    body = (bytes(range(256)) * (size // 256 + 1))[:size]
    ended = ran(runtime, replace(base, image=built[BOUND], stdin=body, max_output=size + 1))
    assert (ended.exit_code, ended.stdout.head == body, ended.too_large) == (0, True, False)


@pytest.mark.parametrize(("size", "fits"), [(LONGEST_VARIABLE, True), (LONGEST_VARIABLE + 1, False)])
def test_the_longest_variable_is_that_of_the_kernel(runtime: Runtime, base: Run, size: int, fits: bool) -> None:
    """`NORN_REQUEST_BODY=` has 18 characters, and an environment string has at most 131,071 bytes before its
    terminating zero byte.
    """
    script = 'printf %s "$NORN_REQUEST_BODY" | wc -c'
    ended = ran(runtime, replace(base, argv=sh(script), env={"NORN_REQUEST_BODY": "x" * size}))
    assert (ended.exit_code == 0, ended.stdout.head == f"{size}\n".encode()) == (fits, fits)
