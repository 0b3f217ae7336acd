"""Recognises a Python project: Django, FastAPI, Flask, Streamlit, or any other program."""

from __future__ import annotations

import re

from norn_tasks.domain.starters.project import PORT, Directory, Project, cmd, lines

BASE = "python:3.11-slim"
_SIGNS = ("requirements.txt", "pyproject.toml", "Pipfile", "setup.py", "manage.py", "main.py", "app.py", "wsgi.py")
_LISTENS = (
    r"[\"']PORT[\"']\s*,\s*[\"']?(\d{2,5})",
    r"\bport\s*=\s*(\d{2,5})",
    r"HTTPServer\(\(\s*[\"'][^\"']*[\"']\s*,\s*(\d{2,5})",
)


def recognise(found: Directory) -> Project | None:
    """Returns the project if there is a file that is typical of Python projects."""
    by = found.first(*_SIGNS)
    if not by:
        return None
    command, port = _command(found)
    text = lines(
        f"FROM {BASE}",
        "ENV PYTHONUNBUFFERED=1",
        "WORKDIR /app",
        _install(found),
        "COPY . .",
        "RUN pip install --no-cache-dir ." if _is_package(found) else "",
        cmd(command),
    )
    return Project("Python", by, text, port)


def _is_package(found: Directory) -> bool:
    text = found.text("pyproject.toml")
    return "[build-system]" in text and not found.has("requirements.txt", "uv.lock", "poetry.lock")


def _install(found: Directory) -> list[str]:
    if found.has("requirements.txt"):
        return ["COPY requirements.txt ./", "RUN pip install --no-cache-dir -r requirements.txt"]
    if found.has("uv.lock"):
        return [
            "COPY pyproject.toml uv.lock ./",
            "RUN pip install --no-cache-dir uv && uv sync --frozen --no-install-project",
            "ENV PATH=/app/.venv/bin:$PATH",
        ]
    if found.has("poetry.lock"):
        return [
            "COPY pyproject.toml poetry.lock ./",
            "RUN pip install --no-cache-dir poetry && poetry config virtualenvs.create false && poetry "
            "install --no-root",
        ]
    if found.has("Pipfile"):
        return ["COPY Pipfile* ./", "RUN pip install --no-cache-dir pipenv && pipenv install --system"]
    names = re.search(r"^dependencies\s*=\s*\[(.*?)\]", found.text("pyproject.toml"), re.M | re.S)
    wanted = re.findall(r"[\"']([^\"']+)[\"']", names[1]) if names else []
    quoted = " ".join(f"'{each}'" for each in wanted)
    return [f"RUN pip install --no-cache-dir {quoted}"] if wanted and not _is_package(found) else []


def _command(found: Directory) -> tuple[str, int]:
    """Returns the command that serves on every address, and its port."""
    if found.web_process:
        return found.web_process, PORT
    named = "\n".join(found.text(path).lower() for path in ("requirements.txt", "pyproject.toml", "Pipfile"))
    gunicorn = f"gunicorn -b 0.0.0.0:{PORT}" if "gunicorn" in named else ""
    if found.has("manage.py"):
        settings = found.containing(r"application", "/wsgi.py")
        module = settings[0].removesuffix(".py").replace("/", ".") if settings else ""
        served = f"{gunicorn} {module}" if gunicorn and module else f"python manage.py runserver 0.0.0.0:{PORT}"
        return served, PORT
    return _framework(found, gunicorn) or _program(found)


def _framework(found: Directory, gunicorn: str) -> tuple[str, int] | None:
    for pattern, served in (
        (r"=\s*FastAPI\(", "uvicorn {} --host 0.0.0.0 --port {}"),
        (r"=\s*Starlette\(", "uvicorn {} --host 0.0.0.0 --port {}"),
        (r"=\s*Flask\(", f"{gunicorn} {{}}" if gunicorn else "flask --app {} run -h 0.0.0.0 -p {}"),
    ):
        if files := found.containing(pattern, ".py"):
            name = re.search(r"^(\w+)" + pattern.replace("=", r"\s*(?::\s*\w+\s*)?=", 1), found.text(files[0]), re.M)
            module = files[0].removesuffix(".py").replace("/", ".")
            return served.format(f"{module}:{name[1] if name else 'app'}", PORT), PORT
    if files := found.containing(r"^import streamlit", ".py"):
        return f"streamlit run {files[0]} --server.address 0.0.0.0 --server.port {PORT}", PORT
    return None


def _program(found: Directory) -> tuple[str, int]:
    entry = found.first("main.py", "app.py", "server.py", "wsgi.py", "src/main.py", "__main__.py") or next(
        iter(found.containing(r"__main__", ".py")), "main.py"
    )
    hit = next((hit for pattern in _LISTENS if (hit := re.search(pattern, found.text(entry)))), None)
    return f"python {entry}", int(hit[1]) if hit else PORT
