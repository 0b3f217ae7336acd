"""The no-op runtime (which starts no containers) writes the same records as the real one, and exists only in the test
build.
"""

from dataclasses import dataclass, field

import pytest

from norn_tasks.adapters.runtimes.noop import NoopRuntime, instead_of
from norn_tasks.domain.errors import LeaseLost, Stopped
from norn_tasks.ports import Run, Runtime
from norn_tasks.settings import load
from norn_tasks.wiring import engine_identity
from tests.fakes.runtime import FakeRuntime
from tests.fakes.stop import FakeWatch

RUN = Run("norn-x-1", "app", "execution:1", "sha256:1", None, {}, 30, 2**20, 1.0)


@dataclass
class Owner:
    """Hooks that record their calls, and raise for the calls that `refuses` names."""

    refuses: str = ""
    told: list[str] = field(default_factory=list)

    def created(self, container: str) -> None:
        self._tell(f"created {container}")

    def begun(self) -> None:
        self._tell("begun")

    def _tell(self, word: str) -> None:
        self.told.append(word)
        if self.refuses and word.startswith(self.refuses):
            raise LeaseLost("another worker owns the job now")


def test_a_run_is_recorded_then_begun_and_ends_well() -> None:
    owner = Owner()
    ended = NoopRuntime("docker").run(RUN, owner, FakeWatch().watch)
    assert (owner.told, ended.exit_code) == (["created norn-x-1", "begun"], 0)
    assert ended.started_at is not None and ended.started_at == ended.finished_at


@pytest.mark.parametrize("word", ["created", "begun"])
def test_a_fallen_fence_ends_it(word: str) -> None:
    with pytest.raises(LeaseLost):
        NoopRuntime("docker").run(RUN, Owner(refuses=word), FakeWatch().watch)


def test_a_stopped_run_does_not_begin() -> None:
    watch, owner = FakeWatch(), Owner()
    watch.stop.set("cancelled")
    with pytest.raises(Stopped):
        NoopRuntime("docker").run(RUN, owner, watch.watch)
    assert owner.told == ["created norn-x-1"]


REAL: dict[str, Runtime] = {"docker": FakeRuntime()}


def test_outside_the_test_build_it_is_inert() -> None:
    assert instead_of(REAL, wanted=True, test_build=False) is REAL


def test_the_test_build_alone_does_not_put_it_in() -> None:
    assert instead_of(REAL, wanted=False, test_build=True) is REAL


def test_in_the_test_build_it_takes_the_place_of_each_runtime() -> None:
    assert isinstance(instead_of(REAL, wanted=True, test_build=True)["docker"], NoopRuntime)


def test_both_settings_are_off_by_default() -> None:
    assert (load({"NORN_NOOP_RUNTIME": "1"}).test_build, load({"NORN_TEST_BUILD": "1"}).noop_runtime) == (False, False)


def test_a_worker_with_it_speaks_for_no_real_engine() -> None:
    assert engine_identity(load({"NORN_TEST_BUILD": "1", "NORN_NOOP_RUNTIME": "1"}))() == "noop"
