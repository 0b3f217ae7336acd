"""Every environment variable that Norn's server side reads, with its type, meaning, unit and default.

`load()` is called once when a process starts (wsgi, worker, beat, router, `norn up`); the settings never change, and
are passed on as an argument. The CLI's own variables (`NORN_URL`, `NORN_TOKEN`, `NORN_APP`) are in `norn_cli.config`.
"""

from norn_tasks.settings.reading import PREFIX, load
from norn_tasks.settings.whole import Settings

__all__ = ["PREFIX", "Settings", "load"]
