"""Recognises a node project: a server, or web pages that node builds."""

from __future__ import annotations

import re
from typing import Any

from norn_tasks.domain.starters.project import PORT, Directory, Project, cmd, lines

BASE = "node:20-alpine"
_LISTENS = (r"PORT\s*(?:\|\||\?\?)\s*['\"]?(\d{2,5})", r"\.listen\(\s*(\d{2,5})", r"\bport\s*[:=]\s*(\d{2,5})")
_BUILT = {"vite": "dist", "react-scripts": "build", "@angular/cli": "dist", "parcel": "dist", "astro": "dist"}
_ENTRIES = ("server.js", "index.js", "app.js", "main.js", "src/index.js", "src/server.js")


def recognise(found: Directory) -> Project | None:
    """Returns the project if there is a package.json, or a server in one file."""
    if not found.has("package.json"):
        entry = found.first("server.js", "app.js", "index.js")
        return _of_one_file(found, entry) if entry and not found.has("index.html") else None
    package = found.json("package.json")
    start = _start(found, package)
    if not start and "build" in _scripts(package) and (out := _output(package)):
        return _pages(found, out)
    build = "RUN npm run build" if "build" in _scripts(package) else ""
    text = lines(
        f"FROM {BASE}",
        "WORKDIR /app",
        _copies(found),
        _install(found, dev=bool(build)),
        "COPY . .",
        build,
        "ENV NODE_ENV=production",
        "USER node",
        cmd(found.web_process or start or "npm start"),
    )
    return Project("node", "package.json", text, _port(found, start))


def _of_one_file(found: Directory, entry: str) -> Project:
    text = lines(f"FROM {BASE}", "WORKDIR /app", "COPY . .", "USER node", cmd(f"node {entry}"))
    return Project("node", entry, text, _port(found, f"node {entry}"))


def _scripts(package: dict[str, Any]) -> dict[str, Any]:
    scripts = package.get("scripts")
    return scripts if isinstance(scripts, dict) else {}


def _start(found: Directory, package: dict[str, Any]) -> str:
    """Returns the command that starts the project.

    If the start script only runs node, the command is node itself, because npm does not pass on signals.
    """
    script = _scripts(package).get("start")
    if isinstance(script, str):
        return script if re.fullmatch(r"node [\w./-]+", script) else "npm start"
    main = package.get("main")
    entry = main if isinstance(main, str) and found.has(main) else found.first(*_ENTRIES)
    return f"node {entry}" if entry else ""


def _output(package: dict[str, Any]) -> str:
    wanted = {**(package.get("dependencies") or {}), **(package.get("devDependencies") or {})}
    return next((folder for tool, folder in _BUILT.items() if tool in wanted), "")


def _pages(found: Directory, folder: str) -> Project:
    text = lines(
        f"FROM {BASE} AS build",
        "WORKDIR /app",
        _copies(found),
        _install(found, dev=True),
        "COPY . .",
        "RUN npm run build",
        "",
        "FROM busybox:stable",
        f"COPY --from=build /app/{folder} /www",
        f'CMD ["httpd", "-f", "-p", "{PORT}", "-h", "/www"]',
    )
    return Project("pages that node builds", "package.json", text, PORT, "/")


def _copies(found: Directory) -> str:
    locks = [name for name in ("package-lock.json", "yarn.lock", "pnpm-lock.yaml") if found.has(name)]
    return f"COPY {' '.join(['package.json', *locks])} ./"


def _install(found: Directory, *, dev: bool) -> str:
    if found.has("pnpm-lock.yaml"):
        return f"RUN corepack enable && pnpm install --frozen-lockfile{'' if dev else ' --prod'}"
    if found.has("yarn.lock"):
        return "RUN corepack enable && yarn install --frozen-lockfile"
    return f"RUN npm {'ci' if found.has('package-lock.json') else 'install'}{'' if dev else ' --omit=dev'}"


def _port(found: Directory, start: str) -> int:
    """Returns the port that the project's code names; Norn also sets the variable PORT to this number."""
    entry = start.removeprefix("node ")
    texts = [found.text(entry), *(found.text(path) for path in found.containing(r"\.listen\(", ".js"))]
    numbers = (int(hit[1]) for text in texts for pattern in _LISTENS if (hit := re.search(pattern, text)))
    return next(
        (number for number in numbers if 0 < number < 65_536), 3000 if "next" in found.text("package.json") else PORT
    )
