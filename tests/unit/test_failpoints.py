"""Failpoints (places at which a test can make a worker fail or die) do nothing unless the setting NORN_TEST_BUILD is
on.
"""

import pytest

from norn_tasks.domain.errors import StepFailed
from norn_tasks.pipelines.failpoints import Point, failpoint_from, inert
from norn_tasks.settings import load


def test_without_the_test_build_the_variable_is_not_even_read() -> None:
    assert failpoint_from("build-image:before:kill", test_build=False) is inert


def test_the_test_build_is_off_by_default() -> None:
    assert load({"NORN_FAILPOINT": "build-image:before:kill"}).test_build is False


def test_in_the_test_build_it_acts_at_its_place_only() -> None:
    acts = failpoint_from("build-image:before:fail", test_build=True)
    acts("build-image", Point.AFTER)
    acts("test-image", Point.BEFORE)
    with pytest.raises(StepFailed):
        acts("build-image", Point.BEFORE)
