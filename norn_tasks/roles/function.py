"""The function: a fresh container for each call."""

from norn_tasks.roles.role import RoleSteps
from norn_tasks.steps.function import RegisterFunction, RemoveFunction
from norn_tasks.steps.planned.services import ProvisionServices
from norn_tasks.steps.volumes import CreateVolumes, DeleteVolumes

FUNCTION = RoleSteps(
    provision=(ProvisionServices(), CreateVolumes(), RegisterFunction()),
    release=(CreateVolumes(), RegisterFunction(goes_live=True)),
    dismantle=(RemoveFunction(), DeleteVolumes()),
)
