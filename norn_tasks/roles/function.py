"""The role function: a new container for each call."""

from norn_tasks.roles.role import RoleSteps
from norn_tasks.steps.function import RegisterFunction, RemoveFunction
from norn_tasks.steps.services import DeleteServices, ProvisionServices
from norn_tasks.steps.volumes import CreateVolumes, DeleteVolumes

FUNCTION = RoleSteps(
    provision=(ProvisionServices(), CreateVolumes(), RegisterFunction()),
    release=(CreateVolumes(), RegisterFunction(goes_live=True)),
    dismantle=(RemoveFunction(), DeleteServices(), DeleteVolumes()),
)
