"""`python -m tests.architecture.prose [--shrink] [PATH…]`: prints every finding, or only the findings below the
paths.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.architecture.prose.findings import in_classes, in_files
from tests.architecture.prose.pending import FILE, PENDING, done, shrunk
from tests.architecture.prose.text import sources


def main(arguments: list[str]) -> int:
    """Prints the findings; returns 1 if there are any. `--shrink` removes the entries of pending.txt that have no
    finding any longer.
    """
    paths, shrinks = sources(), "--shrink" in arguments
    wanted = [] if shrinks else [Path(each).resolve() for each in arguments]

    def is_wanted(path: Path) -> bool:
        return not wanted or any(path.is_relative_to(each) for each in wanted)

    doubled = in_classes(path for path in paths if path.suffix == ".py")
    shown = in_files(filter(is_wanted, paths)) + [each for each in doubled if is_wanted(each.path)]
    if shrinks:
        FILE.write_text(shrunk(FILE.read_text(), done(shown, PENDING)))
        return 0
    print(*shown, f"{len(shown)} findings", sep="\n")
    return 1 if shown else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
