"""The first infraspec and Dockerfile of a new app: short, commented, and usable without a change."""

from __future__ import annotations

from norn_tasks.domain.infraspec.words import Role
from norn_tasks.domain.names import app_name
from norn_tasks.domain.starters import Project

_SPEC = """\
# What this app is. Every field is in Norn's docs/infraspec.md; `norn schema` prints them for an editor.
app: {app}
role: {role}
{own}
# The image is built from this file. A test runs inside the built image before anything goes live.
build:
  dockerfile: Dockerfile
  # test: ./run-tests

# Environment of every container of this app. Secrets do not belong here: many people see this file.
# env:
#   LOG_LEVEL: info
"""

_OWN_FIELDS = {
    Role.WEBSERVER: """
# The port that the container listens on, and the path that answers when the app is well.
port: 8080
healthcheck: /health
# replicas: 2
""",
    Role.WORKER: """
# How many of it run at once.
replicas: 1
""",
    Role.CRON: """
# When it runs: minute hour day month weekday, or @daily, or @every 90s.
schedule: "0 9 * * *"
# timezone: Europe/Berlin
# Seconds after which a run is ended.
timeout: 300
""",
    Role.FUNCTION: """
# One fresh container a call: the request's body on standard input, the answer on standard output.
function:
  timeout: 30
  memory: 256m
""",
}

_DOCKERFILES = {
    Role.WEBSERVER: """\
FROM busybox:stable
RUN mkdir /www && echo "hello from {app}" > /www/index.html && echo ok > /www/health
EXPOSE 8080
# The shell stays the first process, so that a stop ends the server at once.
CMD ["sh", "-c", "trap 'kill $!; exit 0' TERM INT; httpd -f -p 8080 -h /www & wait"]
""",
    Role.WORKER: """\
FROM busybox:stable
CMD ["sh", "-c", "trap 'exit 0' TERM INT; while :; do echo {app} at work; sleep 10 & wait $!; done"]
""",
    Role.CRON: """\
FROM busybox:stable
CMD ["sh", "-c", "echo {app} ran for $NORN_SCHEDULED_AT"]
""",
    Role.FUNCTION: """\
FROM busybox:stable
CMD ["sh", "-c", "echo hello from {app}, you sent:; cat"]
""",
}


_WEB = """
# The port that the container listens on (the variable PORT has it, too), and a path that answers when the app is well.
port: {port}
{healthcheck}
# replicas: 2
"""


def starter_spec(app: str, role: Role, project: Project | None = None) -> str:
    """Returns a first infraspec for an app; raises `InvalidRequest` for a name that no app may have."""
    own = _OWN_FIELDS[role]
    if role is Role.WEBSERVER and project is not None:
        path = f"healthcheck: {project.healthcheck}" if project.healthcheck else "# healthcheck: /health"
        own = _WEB.format(port=project.port, healthcheck=path)
    return _SPEC.format(app=app_name(app), role=role.value, own=own)


def starter_dockerfile(app: str, role: Role) -> str:
    """Returns a Dockerfile that works for this role without any other file."""
    return _DOCKERFILES[role].format(app=app_name(app))
