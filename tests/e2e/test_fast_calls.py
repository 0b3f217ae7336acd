"""Short proofs about calls and cron runs in the nest (the container in which crun starts runs).

Calls share nothing, too many calls are refused at once, changes show in later calls, and a killed worker loses only its
own calls. The long proofs are in tests/soak. All tests are in one file, so that one process makes one nest.
"""

from __future__ import annotations

import time

import pytest

from tests.e2e import apart_calls, apps, changing_calls, killed_calls, too_many_calls
from tests.e2e.fast_road import Remains, await_clean, await_nest, client, remains
from tests.e2e.stack import Stack
from tests.e2e.witness import Witness
from tests.servers import allowed, wait_until

pytestmark = pytest.mark.timeout(600)
ENVIRONMENT = {
    "NORN_NEST": "auto", "NORN_CALLS_WAITING": "16", "NORN_LEASE_SECONDS": "4", "NORN_HEARTBEAT_SECONDS": "1",
    "NORN_SELF_STOP_SECONDS": "3",
}  # fmt: skip
LASTING = "i=0; while [ $i -lt 200 ]; do i=$((i+1)); echo line $i; echo err $i >&2; sleep 0.1; done"


@pytest.fixture(scope="module")
def before(stack: Stack) -> Remains:
    """A nest that starts runs, and what exists while it has none."""
    stack.keep_secrets()
    await_nest(stack)
    return remains(stack)


def test_calls_at_once_share_nothing(stack: Stack, before: Remains) -> None:
    apart_calls.deploy(stack, 8)
    # so few that all of them may wait, no matter how long the first claim takes
    answers = apart_calls.call_at_once(stack, 14)
    assert [each for each in answers if not each.apart] == []
    assert (apart_calls.mixed_records(stack, answers), apart_calls.in_nest(stack)) == ([], 14)
    await_clean(stack, before, allowed(20))


def test_the_excess_of_calls_is_refused_at_once(stack: Stack, before: Remains) -> None:
    too_many_calls.deploy(stack, 0.3, concurrency=2, memory="16m", timeout=60)
    answers = too_many_calls.call_often(stack, 80, 40)
    refused = [each for each in answers if each.status != 200]
    print(too_many_calls.counted(answers))
    assert {(each.status, each.code, each.retry_after) for each in refused} == {(429, "queue_full", True)}
    assert max(each.seconds for each in refused) < allowed(5)
    await_clean(stack, before, allowed(20))


def test_a_deploy_and_a_changed_secret_show_in_every_later_call(stack: Stack, before: Remains) -> None:
    stream = changing_calls.prepare(stack)
    with changing_calls.streaming(stream, 2):
        stream.deploy(1)
        time.sleep(0.5)
        stream.set_secret(1)
        time.sleep(0.5)
    assert (dict(stream.errors()), stream.old(), len(stream.answers) > 4) == ({}, [], True)
    await_clean(stack, before, allowed(20))


def test_only_calls_of_a_killed_worker_are_lost(stack: Stack, before: Remains) -> None:
    witness = Witness(stack)
    for name in killed_calls.WORKERS[1:]:
        stack.spawn("invoke", name)
    killed_calls.deploy(stack, witness)
    killer = killed_calls.Killer(stack, allowed(6))
    answers = killed_calls.streamed(stack, 2, allowed(20), "kills", killer)
    found = killed_calls.judged(stack, witness, answers, "kills")
    witness.close()
    assert (found.wrong, found.ends["succeeded"] > len(answers) / 2) == ([], True), found
    await_clean(stack, before, allowed(30))


def test_runs_of_a_killed_cron_worker_are_adopted_with_their_output(stack: Stack, before: Remains) -> None:
    apps.add_cron(stack, "lasting", LASTING, "concurrency: allow\nresources: {memory: 16m}\n")
    stack.norn("forge", "lasting")
    stack.norn("deploy", "lasting")
    with client(stack, 60) as http:
        jobs = [int(http.post("/api/apps/lasting/cron/trigger", json={}).json()["job"]) for _ in range(4)]
    begun = "SELECT 1 FROM jobs WHERE id = ANY(%s) AND begun_at IS NOT NULL"
    wait_until(lambda: len(stack.rows(begun, jobs)) == 4, allowed(20), "all runs have begun")
    stack.kill("cron")
    stack.spawn("cron")
    for job in jobs:
        stack.await_state(job, ["succeeded", "failed", "error", "dead"], allowed(60))
    runs = stack.rows(
        "SELECT j.state, j.runs, j.claims, j.container LIKE 'nest-%%' AS in_nest, x.exit_code, x.stdout, x.stderr"
        " FROM jobs j JOIN cron_executions x ON x.job_id = j.id WHERE j.id = ANY(%s)", jobs,
    )  # fmt: skip
    whole = ["".join(f"{word} {n}\n" for n in range(1, 201)) for word in ("line", "err")]
    assert [list(each.values()) for each in runs] == [["succeeded", 1, 2, True, 0, *whole]] * 4
    await_clean(stack, before, allowed(20))
