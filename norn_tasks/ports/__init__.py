"""Ports: the calls that steps may make to outside systems, one file for each system, and the Tools object that steps
get.

Each Protocol has its adapters in `adapters/`, an in-memory fake in `tests/fakes/`, and one contract test for both.
Adapters raise only errors of `domain.errors`. Every call that may take long gets a `Stop`. Within a second after the
stop is set, the call ends everything that it started, and raises `Stopped`.
"""

from norn_tasks.ports.cluster import Cluster, ExecCommand, Replicas, RouterPorts, Workload
from norn_tasks.ports.engine import Engine, RunsReach, SeenContainer
from norn_tasks.ports.images import BuildOrder, BuildQueue, Image, Images, RegistryImages
from norn_tasks.ports.kept_logs import Hiding, KeptLogs
from norn_tasks.ports.live import LiveStream, LiveStreams, LiveText, Terminal, Typed
from norn_tasks.ports.messenger import Messenger, Outbox, Receipt
from norn_tasks.ports.runs import FastRoad, Hooks, Run, RunClient, Runtime, StartsAtOnce
from norn_tasks.ports.secret_files import SecretFiles, SopsFormat
from norn_tasks.ports.services import ServiceRecords, SharedServices
from norn_tasks.ports.source import (
    Checkout,
    Deploys,
    Difference,
    Directories,
    Git,
    GitLogin,
    GitLogins,
    Sources,
    Uploads,
)
from norn_tasks.ports.tools import Limits, Tools
from norn_tasks.ports.tunnel import Dns, Edge, ExternalHosts, TeamKeys, Tunnel, WriteTurn
from norn_tasks.ports.vault import Keyring, SealedPlace, SealedRows, Vault
from norn_tasks.ports.volumes import Mount, Volumes
from norn_tasks.ports.watch import Say, Stop, Watch

__all__ = [
    "Say",
    "Stop",
    "Watch",
    "Checkout",
    "Deploys",
    "Difference",
    "GitLogin",
    "GitLogins",
    "Git",
    "Directories",
    "Sources",
    "SharedServices",
    "ServiceRecords",
    "Uploads",
    "BuildOrder",
    "BuildQueue",
    "Image",
    "Images",
    "RegistryImages",
    "Run",
    "RunClient",
    "Hooks",
    "Runtime",
    "StartsAtOnce",
    "FastRoad",
    "Engine",
    "RunsReach",
    "SeenContainer",
    "Workload",
    "Cluster",
    "ExecCommand",
    "Replicas",
    "RouterPorts",
    "Mount",
    "Volumes",
    "Vault",
    "SopsFormat",
    "SecretFiles",
    "TeamKeys",
    "Keyring",
    "SealedPlace",
    "SealedRows",
    "Tunnel",
    "Dns",
    "Edge",
    "ExternalHosts",
    "WriteTurn",
    "LiveStream",
    "LiveStreams",
    "LiveText",
    "Hiding",
    "KeptLogs",
    "Receipt",
    "Messenger",
    "Outbox",
    "Terminal",
    "Typed",
    "Limits",
    "Tools",
]
