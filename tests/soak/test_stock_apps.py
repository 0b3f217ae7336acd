"""Ordinary apps without any change for Norn: Django, flaskr with its tests, and an app whose environment variables have
unusual names.

They are built on python:3.11-slim and node:20-alpine. The test downloads the wheels, for builds that reach no package
index.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest

from tests.e2e.stack import Stack

ENVIRONMENT = {"NORN_ROLLOUT_TIMEOUT": "30"}
PYTHON = """FROM python:3.11-slim
WORKDIR /app
COPY . .
RUN python3 -m pip install --no-index --find-links wheels --break-system-packages {names} || \\
    python3 -m pip install --no-index --find-links wheels {names}
CMD {command}
"""
FLASKR = """import os, sqlite3
from flask import Flask, g

def create_app(test_config=None):
    app = Flask(__name__, instance_relative_config=True)
    app.config.from_mapping(DATABASE=os.path.join(app.instance_path, "flaskr.sqlite"))
    if test_config is not None:
        app.config.from_mapping(test_config)
    os.makedirs(app.instance_path, exist_ok=True)

    @app.get("/")
    def index():
        with sqlite3.connect(app.config["DATABASE"]) as db:
            return str(db.execute("SELECT 1").fetchone())
    return app
"""
FLASKR_TEST = """import os, tempfile
from flaskr import create_app

def test_index():
    fd, path = tempfile.mkstemp()
    app = create_app({"TESTING": True, "DATABASE": path})
    assert app.test_client().get("/").data == b"(1,)"
"""
PRINTS = """const http = require('http')
const names = ['database__client', 'ConnectionStrings__Default', 'discovery.type', 'http_proxy']
http.createServer((_, answer) => answer.end(names.map(name => process.env[name]).join(' '))).listen(process.env.PORT)
"""


def wheels(directory: Path, *names: str) -> None:
    """Downloads what an app needs into its directory."""
    pip = [sys.executable, "-m", "pip", "download", "-q", "-d", str(directory / "wheels"), *names]
    subprocess.run(pip, check=True, timeout=240)


def write(stack: Stack, name: str, spec: str, files: Mapping[str, str]) -> Path:
    """Writes a webserver's directory."""
    return stack.add_app(name, f"app: {name}\nrole: webserver\nport: 8080\n{spec}", files)


def get(stack: Stack, name: str) -> httpx.Response:
    return httpx.get(stack.json("status", name)["url"], timeout=10)


def test_django_with_its_own_hosts_is_live_with_a_healthcheck(stack: Stack) -> None:
    """The settings are like those of heroku/python-getting-started: DEBUG is off, and ALLOWED_HOSTS has no name of
    Norn's.
    """
    command = '["gunicorn", "-b", "0.0.0.0:8080", "site1.wsgi"]'
    spec = "healthcheck: /admin/login/\nenv: {DJANGO_SETTINGS_MODULE: site1.stock}\n"
    dockerfile = PYTHON.format(names="django gunicorn", command=command)
    directory = write(stack, "django", spec, {"Dockerfile": dockerfile})
    wheels(directory, "django<6", "gunicorn")
    target = directory / "packages"
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--find-links", str(directory / "wheels")]
    subprocess.run([*pip, "--target", str(target), "django"], check=True, timeout=240)
    made = [sys.executable, "-m", "django", "startproject", "site1", str(directory)]
    subprocess.run(made, check=True, env={"PYTHONPATH": str(target), "PATH": "/usr/bin:/bin"}, timeout=60)
    subprocess.run(["rm", "-rf", str(target)], check=True)
    stock = (
        "from site1.settings import *\nDEBUG = False\nALLOWED_HOSTS = ['localhost', '127.0.0.1', '.herokuapp.com']\n"
    )
    (directory / "site1" / "stock.py").write_text(stock)
    stack.norn("deploy", str(directory))
    assert b"Django administration" in httpx.get(f"{stack.json('status', 'django')['url']}/admin/login/").content
    shell = stack.norn("run", "django", "--", "python3", "manage.py", "migrate")
    assert b"Applying auth.0001_initial... OK" in shell.stdout


def test_flaskr_is_tested_and_live(stack: Stack) -> None:
    command = '["gunicorn", "-b", "0.0.0.0:8080", "flaskr:create_app()"]'
    dockerfile = PYTHON.format(names="flask gunicorn pytest", command=command)
    files = {
        "Dockerfile": dockerfile, "flaskr/__init__.py": FLASKR, "tests/test_index.py": FLASKR_TEST,
        "pyproject.toml": '[tool.pytest.ini_options]\nfilterwarnings = ["error"]\n',
    }  # fmt: skip
    directory = write(stack, "flaskr", "build: {test: python3 -m pytest -q}\n", files)
    wheels(directory, "flask", "gunicorn", "pytest")
    refused = stack.norn("deploy", str(directory), check=False)
    assert (refused.returncode != 0, b"container.writable: true" in refused.stderr) == (True, True), refused.stderr
    spec = (directory / "infraspec.yaml").read_text()
    (directory / "infraspec.yaml").write_text(f"{spec}container: {{writable: true}}\n")
    stack.norn("deploy", str(directory))
    assert get(stack, "flaskr").text == "(1,)"


def test_names_of_ghost_dotnet_and_others_reach_the_app(stack: Stack) -> None:
    env = (
        "env: {database__client: mysql, ConnectionStrings__Default: Server=db, discovery.type: single, http_proxy: p}\n"
    )
    dockerfile = 'FROM node:20-alpine\nCOPY s.js /\nCMD ["node", "/s.js"]\n'
    directory = write(stack, "names", env, {"Dockerfile": dockerfile, "s.js": PRINTS})
    stack.norn("deploy", str(directory))
    assert get(stack, "names").text == "mysql Server=db single p"


def test_a_gunicorn_whose_import_fails_is_not_live_and_says_which(stack: Stack) -> None:
    command = '["gunicorn", "-b", "0.0.0.0:8080", "app:app"]'
    dockerfile = PYTHON.format(names="flask gunicorn", command=command)
    app = "import pandas\nfrom flask import Flask\napp = Flask(__name__)\n"
    directory = write(stack, "imports", "", {"Dockerfile": dockerfile, "app.py": app})
    wheels(directory, "flask", "gunicorn")
    done = stack.norn("deploy", str(directory), check=False)
    assert (done.returncode != 0, b"No module named 'pandas'" in done.stderr) == (True, True), done.stderr
    assert stack.json("status", "imports")["state"] != "running"


@pytest.mark.timeout(600)
def test_ten_rolling_deploys_of_three_node_replicas_take_eight_seconds_each(stack: Stack) -> None:
    server = "require('http').createServer((_, answer) => answer.end('VERSION')).listen(8080)\n"
    dockerfile = 'FROM node:20-alpine\nCOPY s.js /\nCMD ["node", "/s.js"]\n'
    directory = write(stack, "rolls", "replicas: 3\nhealthcheck: /\n", {"Dockerfile": dockerfile})
    took = []
    for version in range(11):
        (directory / "s.js").write_text(server.replace("VERSION", str(version)))
        stack.norn("deploy", str(directory))
        query = (
            "SELECT extract(epoch FROM ended_at - first_claimed_at) AS s FROM jobs WHERE app = 'rolls' ORDER BY id DESC"
            " LIMIT 1"
        )
        took.append(round(float(stack.rows(query)[0]["s"]), 1))
        assert get(stack, "rolls").text == str(version)
    print(f"seconds of each deploy, the first one from nothing: {took}")
    assert max(took[1:]) <= 8
