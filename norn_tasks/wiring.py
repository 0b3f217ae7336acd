"""From settings to Tools: the only module that knows every adapter."""

from __future__ import annotations

import threading

from norn_tasks.adapters.directories import LocalDirectories
from norn_tasks.domain.errors import Stopped
from norn_tasks.ports import Limits, LiveStream, Stop, Tools, Watch
from norn_tasks.settings import Settings
from norn_tasks.store.live import Live
from norn_tasks.store.session import Database
