"""The function: a fresh container for each call."""

from norn_tasks.roles.role import RoleSteps
from norn_tasks.steps.function import RegisterFunction, RemoveFunction
from norn_tasks.steps.services import ProvisionServices

FUNCTION = RoleSteps(
    provision=(ProvisionServices(), RegisterFunction()),
    release=(RegisterFunction(goes_live=True),),
    dismantle=(RemoveFunction(),),
)
