"""The worker: replicas that nobody calls."""

from norn_tasks.roles.role import RoleSteps
from norn_tasks.steps.services import ProvisionServices
from norn_tasks.steps.workload import AwaitRollout, CreateDeployment, DeleteDeployment, RolloutImage

WORKER = RoleSteps(
    provision=(ProvisionServices(), CreateDeployment()),
    release=(RolloutImage(), AwaitRollout()),
    dismantle=(DeleteDeployment(),),
)
