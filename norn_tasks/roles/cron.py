"""The role cron: a schedule, and a new container for each run."""

from norn_tasks.roles.role import RoleSteps
from norn_tasks.steps.schedule import RegisterSchedule, RemoveSchedule
from norn_tasks.steps.services import DeleteServices, ProvisionServices
from norn_tasks.steps.volumes import CreateVolumes, DeleteVolumes

CRON = RoleSteps(
    provision=(ProvisionServices(), CreateVolumes(), RegisterSchedule()),
    release=(CreateVolumes(), RegisterSchedule(goes_live=True)),
    dismantle=(RemoveSchedule(), DeleteServices(), DeleteVolumes()),
)
