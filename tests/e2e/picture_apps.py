"""Adds what the pictures of Norn's page need beyond `make demo`: a database with backups, and a schedule with many
runs.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

THUMBNAIL = Path(__file__).parents[2] / "examples" / "thumbnail-gen" / "sample.pgm"
APPS = {
    "guestbook": {
        "infraspec.yaml": """\
app: guestbook
role: webserver
port: 8080
secrets: [ADMIN_TOKEN]
services:
  postgres:
    database: guestbook_db
    backup:
      schedule: "15 3 * * *"
      keep: 7
""",
        "Dockerfile": """\
FROM busybox:stable
RUN mkdir /www && echo welcome >/www/index.html
USER 65534
CMD ["httpd", "-f", "-p", "8080", "-h", "/www"]
""",
    },
    "price-watch": {
        "infraspec.yaml": 'app: price-watch\nrole: cron\nschedule: "* * * * *"\ntimeout: 30\n',
        "Dockerfile": 'FROM busybox:stable\nCOPY watch.sh /\nUSER 65534\nCMD ["sh", "/watch.sh"]\n',
        "watch.sh": """\
minute=$(date +%M)
echo "watching 12 prices at minute $minute"
case $minute in
  *7) echo "price-watch: the shop returned 503, and 3 retries did not help" >&2; exit 1 ;;
  *) echo "2 prices changed: kettle 24.90 -> 22.50, lamp 18.00 -> 19.90" ;;
esac
""",
    },
}
"""Files of the apps that are added, by app and path."""


def furnish() -> None:
    """Adds the apps and uses all of them, unless they exist already."""
    here = Path(os.environ["NORN_APPS_DIR"])
    if (here / "guestbook").exists():
        return
    for app, files in APPS.items():
        (here / app).mkdir()
        for path, content in files.items():
            (here / app / path).write_text(content)
    _norn("secrets", "set", "guestbook", "ADMIN_TOKEN=of-no-use-elsewhere")
    for app in APPS:
        _norn("forge", app)
        _norn("deploy", app)
    for verb in ("snapshot", "backup", "drill"):
        _norn("db", verb, "guestbook")
    _norn("cron", "set-schedule", "daily-report", "30 8 * * 1-5")
    _call_the_function()
    _norn("run", "guestbook", "--", "ls", "-l", "/www")
    _norn("token", "create", "ci", "--scope", "deploy", "--only", "hello-web")


def _call_the_function() -> None:
    _norn("invoke", "thumbnail-gen", "--body", "no picture", succeeds=False)
    for _ in range(3):
        _norn("invoke", "thumbnail-gen", "--body", f"@{THUMBNAIL}")
    newest: list[dict[str, Any]] = json.loads(_norn("fn", "history", "thumbnail-gen", "-o", "json"))["items"]
    _norn("fn", "replay", str(newest[0]["id"]))


def _norn(*argv: str, succeeds: bool = True) -> str:
    done = subprocess.run(["norn", *argv], capture_output=True, text=True, check=False, timeout=300)
    if succeeds and done.returncode != 0:
        raise SystemExit(f"norn {' '.join(argv)}: {done.stdout}{done.stderr}")
    return done.stdout
