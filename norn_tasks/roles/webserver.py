"""The role webserver: replicas behind a name and an address, which get requests only when they are healthy."""

from norn_tasks.roles.role import RoleSteps
from norn_tasks.steps.external.dns import CreateDnsRoute, RemoveDnsRoute
from norn_tasks.steps.external.edge import RouteEdge
from norn_tasks.steps.external.tunnel import RouteTunnel, UnrouteTunnel
from norn_tasks.steps.secrets import SyncSecrets
from norn_tasks.steps.services import DeleteServices, ProvisionServices
from norn_tasks.steps.volumes import CreateVolumes, DeleteVolumes
from norn_tasks.steps.workload import (
    AwaitRollout,
    CreateDeployment,
    CreateService,
    DeleteDeployment,
    DeleteService,
    RolloutImage,
)

WEBSERVER = RoleSteps(
    provision=(
        SyncSecrets(strict=False),
        ProvisionServices(),
        CreateVolumes(),
        CreateDeployment(),
        CreateService(),
        RouteTunnel(),
        CreateDnsRoute(),
        RouteEdge(),
    ),
    release=(CreateVolumes(), RolloutImage(), AwaitRollout()),
    dismantle=(
        RemoveDnsRoute(),
        UnrouteTunnel(),
        DeleteService(),
        DeleteDeployment(),
        DeleteServices(),
        DeleteVolumes(),
    ),
)
