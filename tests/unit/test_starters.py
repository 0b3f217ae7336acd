"""The kinds of projects that `norn init` recognises, each by a small example of its kind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from norn_tasks.domain.infraspec import parse
from norn_tasks.domain.infraspec.starter import starter_spec
from norn_tasks.domain.infraspec.words import Role
from norn_tasks.domain.starters import Directory, Project, read_directory, recognised


def found(**files: str) -> Project:
    """Returns the project in a directory with these files; `__` is a dot and `_S_` a slash in their names."""
    project = recognised(Directory({name.replace("_S_", "/").replace("__", "."): text for name, text in files.items()}))
    assert project is not None
    return project


def package(**more: object) -> str:
    return json.dumps({"name": "x", **more})


EXPRESS = "const app = require('express')()\napp.listen(process.env.PORT || 4000)\n"
NODE = [
    (
        {"package__json": package(scripts={"start": "node server.js"}), "server__js": EXPRESS},
        'CMD ["node", "server.js"]',
        4000,
    ),
    (
        {"package__json": package(main="index.js"), "index__js": "http.createServer(f).listen(5050)"},
        'CMD ["node", "index.js"]',
        5050,
    ),
    (
        {"package__json": package(scripts={"start": "next start", "build": "next build"}, dependencies={"next": "15"})},
        'CMD ["npm", "start"]',
        3000,
    ),
    (
        {"package__json": package(scripts={"build": "vite build"}, devDependencies={"vite": "6"}), "index__html": "x"},
        "COPY --from=build /app/dist /www",
        8080,
    ),
    (
        {"package__json": package(scripts={"start": "node a.js"}), "pnpm-lock__yaml": ""},
        "RUN corepack enable && pnpm install --frozen-lockfile --prod",
        8080,
    ),
    (
        {"package__json": package(scripts={"start": "node a.js"}), "package-lock__json": "{}"},
        "RUN npm ci --omit=dev",
        8080,
    ),
    ({"server__js": EXPRESS}, 'CMD ["node", "server.js"]', 4000),
]
PYTHON = [
    (
        {"requirements__txt": "flask\ngunicorn\n", "app__py": "app = Flask(__name__)"},
        'CMD ["gunicorn", "-b", "0.0.0.0:8080", "app:app"]',
        8080,
    ),
    (
        {"requirements__txt": "flask\n", "web__py": "site = Flask(__name__)"},
        '"--app", "web:site", "run", "-h", "0.0.0.0"',
        8080,
    ),
    (
        {"requirements__txt": "fastapi\nuvicorn\n", "src_S_main__py": "api = FastAPI()"},
        'CMD ["uvicorn", "src.main:api", "--host", "0.0.0.0"',
        8080,
    ),
    (
        {"requirements__txt": "django\ngunicorn\n", "manage__py": "", "site_S_wsgi__py": "application = get()"},
        '"0.0.0.0:8080", "site.wsgi"]',
        8080,
    ),
    (
        {"requirements__txt": "django\n", "manage__py": ""},
        'CMD ["python", "manage.py", "runserver", "0.0.0.0:8080"]',
        8080,
    ),
    ({"pyproject__toml": "[project]\nname = 'x'\n", "uv__lock": "", "main__py": "print(1)"}, "uv sync --frozen", 8080),
    ({"main__py": "HTTPServer(('0.0.0.0', 8000), H).serve_forever()"}, 'CMD ["python", "main.py"]', 8000),
    (
        {"requirements__txt": "x\n", "Procfile": "web: gunicorn app:app -b 0.0.0.0:$PORT\n"},
        'CMD ["sh", "-c", "exec gunicorn app:app -b 0.0.0.0:$PORT"]',
        8080,
    ),
]
OTHERS = [
    (
        {"go__mod": "module x\n", "main__go": 'package main\nfunc main() { http.ListenAndServe(":9000", nil) }\n'},
        "go build -o /app .",
        9000,
    ),
    (
        {"go__mod": "module x\n", "go__sum": "", "cmd_S_web_S_main__go": "package main\n"},
        "go build -o /app ./cmd/web",
        8080,
    ),
    (
        {"Gemfile": "gem 'rails'", "bin_S_rails": "", "config_S_routes__rb": 'get "up" => "rails/health#show"'},
        '"bin/rails", "server"',
        8080,
    ),
    ({"Gemfile": "gem 'sinatra'", "config__ru": "run App"}, '"bundle", "exec", "rackup", "-o", "0.0.0.0"', 8080),
    ({"composer__json": "{}", "public_S_index__php": "<?php"}, "RUN composer install", 80),
    ({"index__php": "<?php"}, "FROM php:8.3-apache", 80),
    ({"index__html": "<h1>hello</h1>"}, "COPY . /www", 8080),
]


@pytest.mark.parametrize(("files", "line", "port"), [*NODE, *PYTHON, *OTHERS])
def test_a_project_gets_the_dockerfile_and_the_port_of_its_kind(files: dict[str, str], line: str, port: int) -> None:
    project = found(**files)
    assert line in project.dockerfile
    assert project.port == port


def test_an_unknown_directory_is_not_recognised() -> None:
    assert recognised(Directory({"notes.txt": "x"})) is None


def test_the_spec_of_a_project_is_valid_and_has_its_port() -> None:
    spec = parse(starter_spec("shop", Role.WEBSERVER, found(server__js=EXPRESS)))
    assert (spec.port, spec.healthcheck) == (4000, None)
    assert parse(starter_spec("shop", Role.WEBSERVER, found(index__html="x"))).healthcheck == "/"


def test_a_directory_is_read_without_what_tools_put_there(tmp_path: Path) -> None:
    for name in ("app.py", "pkg/mod.py", "node_modules/a/index.js", ".git/config", "a/b/c/deep.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "large.py").write_text("x" * 100_000)
    assert sorted(read_directory(tmp_path).texts) == ["app.py", "pkg/mod.py"]
