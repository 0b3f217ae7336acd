"""The steps that each role adds to the pipelines that provision, release and dismantle an app of this role."""

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
