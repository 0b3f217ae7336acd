"""The fork server of `tests.forks` imports this module, and with it the modules of Norn's processes."""

from tests.forks import preload

preload()
