"""The outside world: what steps may ask of it, in the domain's words, a file per neighbour; and Tools, what they get.

Each Protocol has its adapters in `adapters/`, an in-memory fake in `tests/fakes/`, and one contract test for both.
Adapters raise only errors of `domain.errors`. Everything that may take long takes a `Stop` and gives up within a second
of it being set, raising `Stopped`, with what it started ended.
"""

from norn_tasks.ports.cluster import Cluster, Command, Replicas, Workload
from norn_tasks.ports.images import BuildOrder, BuildQueue, Image, Images
from norn_tasks.ports.live import LiveStream, LiveStreams, Terminal, Typed
from norn_tasks.ports.messenger import Messenger, Outbox, Receipt
from norn_tasks.ports.runs import Hooks, Run, Runtime, SeenContainer
from norn_tasks.ports.source import Checkout, Directories, Git, Sources, Uploads
from norn_tasks.ports.tools import Limits, Tools
from norn_tasks.ports.vault import Vault
from norn_tasks.ports.volumes import Mount, Volumes
from norn_tasks.ports.watch import Say, Stop, Watch

__all__ = [
    "Say",
    "Stop",
    "Watch",
    "Checkout",
    "Git",
    "Directories",
    "Sources",
    "Uploads",
    "BuildOrder",
    "BuildQueue",
    "Image",
    "Images",
    "Run",
    "Hooks",
    "SeenContainer",
    "Runtime",
    "Workload",
    "Cluster",
    "Command",
    "Replicas",
    "Mount",
    "Volumes",
    "Vault",
    "LiveStream",
    "LiveStreams",
    "Receipt",
    "Messenger",
    "Outbox",
    "Terminal",
    "Typed",
    "Limits",
    "Tools",
]
