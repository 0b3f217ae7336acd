"""Runs all tests, four at a time, and then alone the files in which one failed. `make test` runs this.

On two cores, a test can exceed a time limit of the design only because three other tests run at the same time. A test
that fails for any other reason fails again when it runs alone. The whole file runs again, because a test may build on
the state that earlier tests of its file have made. There is no second run if a test without processes of its own has
failed, or if there are failures in more than twelve files (docs/decisions/054-a-crowded-failure-is-run-alone.md).
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

AT_ONCE = ("-n", "4", "--dist", "loadfile", "--no-loadscope-reorder", "--timeout=300")
"""Each test may take 300 s instead of 120, because this limit is there only to end a test that hangs."""
LAST_FAILED = Path(".pytest_cache/v/cache/lastfailed")
WITH_PROCESSES = ("tests/contract/", "tests/e2e/", "tests/integration/")
MOST_FILES = 12


def run_alone(failed: list[str]) -> list[str]:
    """Returns the files of these test ids, which are run once more; none if there is no second run."""
    files = sorted({node.partition("::")[0] for node in failed})
    return files if len(files) <= MOST_FILES and all(file.startswith(WITH_PROCESSES) for file in files) else []


def _pytest(*arguments: str) -> int:
    return subprocess.call([sys.executable, "-m", "pytest", "-q", *arguments])


def main() -> int:
    """Returns pytest's exit code: of the first run, or of the second one if there was one."""
    LAST_FAILED.unlink(missing_ok=True)
    code = _pytest(*AT_ONCE, *sys.argv[1:])
    failed = sorted(json.loads(LAST_FAILED.read_text())) if LAST_FAILED.exists() else []
    files = run_alone(failed)
    if code != pytest.ExitCode.TESTS_FAILED or not files:
        return code
    names = "\n".join(f"  {node}" for node in failed)
    print(f"\nThese failed beside others; their files are run alone now:\n{names}", flush=True)
    code = _pytest(*files)
    if code == pytest.ExitCode.OK:
        print(f"\nCROWDED: these passed alone, and failed beside others (shown above):\n{names}")
    return code


if __name__ == "__main__":
    sys.exit(main())
