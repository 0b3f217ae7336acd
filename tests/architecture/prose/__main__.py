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
    paths = sources()
    findings = in_files(paths) + in_classes(path for path in paths if path.suffix == ".py")
    if "--shrink" in arguments:
        FILE.write_text(shrunk(FILE.read_text(), done(findings, PENDING)))
        return 0
    wanted = [Path(each).resolve() for each in arguments]
    shown = [each for each in findings if not wanted or any(each.path.is_relative_to(path) for path in wanted)]
    print(*shown, f"{len(shown)} findings", sep="\n")
    return 1 if shown else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
