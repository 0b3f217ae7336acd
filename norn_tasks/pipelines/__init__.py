"""The pipelines: the steps of each kind of job, in order; `runner` runs them."""

from collections.abc import Callable

from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.job import JobKind
from norn_tasks.pipelines.databases import drill, restore, snapshot
from norn_tasks.pipelines.deploy import deploy, rescale, restart, rollback
from norn_tasks.pipelines.forge import forge, teardown
from norn_tasks.pipelines.notify import call_deadman, notify
from norn_tasks.pipelines.observe import compare, execute, observe, read_logs
from norn_tasks.pipelines.push import poll, push
from norn_tasks.pipelines.run import oneoff, run
from norn_tasks.pipelines.secrets import export_secrets, import_secrets, rotate_key
from norn_tasks.steps.step import Step

Pipeline = Callable[[Job], tuple[Step, ...]]

PIPELINES: dict[JobKind, Pipeline] = {
    JobKind.FORGE: forge,
    JobKind.DEPLOY: deploy,
    JobKind.ROLLBACK: rollback,
    JobKind.RESTART: restart,
    JobKind.SCALE: rescale,
    JobKind.REPAIR: rescale,
    JobKind.TEARDOWN: teardown,
    JobKind.PUSH: push,
    JobKind.POLL: poll,
    JobKind.SNAPSHOT: snapshot,
    JobKind.RESTORE: restore,
    JobKind.DRILL: drill,
    JobKind.INVOKE: run,
    JobKind.CRON_RUN: run,
    JobKind.RUN: oneoff,
    JobKind.OBSERVE: observe,
    JobKind.COMPARE: compare,
    JobKind.READ_LOGS: read_logs,
    JobKind.NOTIFY: notify,
    JobKind.CALL_DEADMAN: call_deadman,
    JobKind.EXEC: execute,
    JobKind.IMPORT_SECRETS: import_secrets,
    JobKind.EXPORT_SECRETS: export_secrets,
    JobKind.ROTATE_KEY: rotate_key,
}
