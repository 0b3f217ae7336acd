"""The cron job: a schedule, and a fresh container for each run."""

from norn_tasks.roles.role import RoleSteps
from norn_tasks.steps.schedule import RegisterSchedule, RemoveSchedule
from norn_tasks.steps.services import ProvisionServices

CRON = RoleSteps(
    provision=(ProvisionServices(), RegisterSchedule()),
    release=(RegisterSchedule(goes_live=True),),
    dismantle=(RemoveSchedule(),),
)
