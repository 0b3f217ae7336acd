"""The steps that each role adds to the pipelines: to provision it, to release it, and to dismantle it."""

from norn_tasks.domain.infraspec import Role
from norn_tasks.roles.cron import CRON
from norn_tasks.roles.function import FUNCTION
from norn_tasks.roles.role import RoleSteps as RoleSteps
from norn_tasks.roles.webserver import WEBSERVER
from norn_tasks.roles.worker import WORKER

ROLES: dict[Role, RoleSteps] = {
    Role.WEBSERVER: WEBSERVER,
    Role.WORKER: WORKER,
    Role.CRON: CRON,
    Role.FUNCTION: FUNCTION,
}
