"""The role worker: replicas without an address."""

from norn_tasks.roles.role import RoleSteps
from norn_tasks.steps.secrets import SyncSecrets
from norn_tasks.steps.services import DeleteServices, ProvisionServices
from norn_tasks.steps.volumes import CreateVolumes, DeleteVolumes
from norn_tasks.steps.workload import AwaitRollout, CreateDeployment, DeleteDeployment, RolloutImage

WORKER = RoleSteps(
    provision=(SyncSecrets(strict=False), ProvisionServices(), CreateVolumes(), CreateDeployment()),
    release=(CreateVolumes(), RolloutImage(), AwaitRollout()),
    dismantle=(DeleteDeployment(), DeleteServices(), DeleteVolumes()),
)
