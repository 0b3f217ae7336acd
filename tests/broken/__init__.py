"""Apps that are broken on purpose, each with words that Norn's error message must contain."""

from tests.broken.builds import BUILDS
from tests.broken.case import BrokenApp, attempt
from tests.broken.ports import PORTS
from tests.broken.runs import RUNS
from tests.broken.specs import SPECS
from tests.broken.starts import STARTS

BROKEN: tuple[BrokenApp, ...] = (*STARTS, *PORTS, *BUILDS, *RUNS, *SPECS)

__all__ = ["BROKEN", "BrokenApp", "attempt"]
