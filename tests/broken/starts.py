"""Apps whose program does not start, or ends soon after its start."""

from __future__ import annotations

from tests.broken.case import BUSY, GO, HEALTHY, NODE, PYTHON, WEB, WORKER, BrokenApp, dockerfile, script

ARM = b"\x7fELF\x01\x01\x01" + b"\0" * 9 + b"\x02\0\x28\0\x01\0\0\0" + b"\0" * 64
"""The head of a program for 32-bit ARM."""


def python(name: str, breaks: str, code: str, *says: str, spec: str = WEB) -> BrokenApp:
    """Returns an app of one Python file."""
    files = {"Dockerfile": script(PYTHON, "app.py", "python"), "app.py": code}
    return BrokenApp(name, breaks, spec, says, files, image=PYTHON)


def node(name: str, breaks: str, code: str, *says: str, spec: str = WEB) -> BrokenApp:
    """Returns an app of one JavaScript file."""
    return BrokenApp(name, breaks, spec, says, {"Dockerfile": script(NODE, "s.js", "node"), "s.js": code}, image=NODE)


def shell(name: str, breaks: str, command: str, *says: str, spec: str = WEB, quick: bool = True) -> BrokenApp:
    """Returns an app of one command of a shell."""
    files = {"Dockerfile": dockerfile(BUSY)}
    return BrokenApp(name, breaks, f"{spec}command: {command!r}\n", says, files, quick=quick)


def entry(
    name: str, breaks: str, content: str | bytes, *says: str, mode: str = "755", quick: bool = False
) -> BrokenApp:
    """Returns an app whose image starts a file with this content."""
    lines = ("COPY entry.sh /entry.sh", f"RUN chmod {mode} /entry.sh", 'CMD ["/entry.sh"]')
    return BrokenApp(
        name, breaks, WEB, says, {"Dockerfile": dockerfile(BUSY, *lines), "entry.sh": content}, quick=quick
    )


STARTS = (
    # Programs that cannot be executed
    shell(
        "b10-no-program",
        "the program of command is not in the image",
        "gunicorn app:app",
        "no program gunicorn",
        "check `command`",
    ),
    BrokenApp(
        "b10b-no-program",
        "the program of CMD is not in the image",
        WEB,
        ("no program", "gunicorn"),
        {"Dockerfile": dockerfile(BUSY, 'CMD ["gunicorn", "app:app"]')},
    ),
    entry("b11-arm", "the program is for ARM", ARM, "/entry.sh was built for arm", "architecture"),
    entry(
        "b15-crlf",
        "its lines end with CRLF",
        "#!/bin/sh\r\nexec httpd -f -p 8080\r\n",
        "/entry.sh has the line ends of Windows (CRLF)",
        "sed -i",
        quick=True,
    ),
    entry(
        "b16-no-shebang",
        "nothing: it has no #! line, and the engine's init has a shell read it",
        "exec httpd -f -p 8080\n",
    ),
    entry(
        "b16b-not-executable",
        "it may not be executed",
        "#!/bin/sh\nexec httpd -f -p 8080\n",
        "/entry.sh",
        "executed",
        mode="644",
    ),
    entry(
        "m06-no-bash",
        "the image has no bash",
        "#!/bin/bash\nexec httpd -f -p 8080\n",
        "#!/bin/bash, and the image has no such program",
    ),
    BrokenApp(
        "m28-no-loader",
        "the program is linked to a libc that the image does not have",
        WORKER,
        ("needs a loader", "CGO_ENABLED=0"),
        {"Dockerfile": f'FROM {PYTHON} AS from\nFROM {BUSY}\nCOPY --from=from /usr/bin/env /run-it\nCMD ["/run-it"]\n'},
        image=PYTHON,
    ),
    # The program misses something
    python(
        "b03-no-variable",
        "DATABASE_URL is not set",
        "import os\nprint(os.environ['DATABASE_URL'])\n",
        "exited 1",
        "KeyError: 'DATABASE_URL'",
        "set it in env",
    ),
    shell(
        "m01-unset",
        "STRIPE_KEY is not set",
        "set -u; echo $STRIPE_KEY; httpd -f -p 8080",
        "STRIPE_KEY",
        "set it in env",
    ),
    node(
        "m17-required",
        "DATABASE_URL is not set",
        "if (!process.env.DATABASE_URL) throw new Error('DATABASE_URL is required')\n",
        "Error: DATABASE_URL is required",
        "set it in env",
        spec=WORKER,
    ),
    node(
        "b09-no-module",
        "express is not installed",
        "require('express')\n",
        "Cannot find module 'express'",
        "add it to the dependencies",
    ),
    BrokenApp(
        "m23-wrong-path",
        "CMD names a file that is not there",
        WEB,
        ("Cannot find module '/srv/server.js'", "WORKDIR"),
        {"Dockerfile": dockerfile(NODE, "COPY . /app", 'CMD ["node", "/srv/server.js"]')},
        image=NODE,
    ),
    BrokenApp(
        "b18-no-script",
        "package.json has no script start",
        WEB,
        ('Missing script: "start"', "scripts in package.json"),
        {
            "Dockerfile": script(NODE, "start", "npm"),
            "package.json": '{"name": "x", "version": "1.0.0", "scripts": {}}',
        },
        image=NODE,
    ),
    python(
        "m22-no-config",
        "its configuration file is not in the image",
        "open('/etc/app.toml')\n",
        "No such file or directory: '/etc/app.toml'",
        "COPY it",
    ),
    python(
        "b34-import",
        "pandas is not installed",
        "import pandas\n",
        "No module named 'pandas'",
        "add it to the dependencies",
    ),
    python("m07-syntax", "a syntax error", "def f(:\n    pass\n", "SyntaxError", "/app/app.py:1"),
    # The program lacks a permission
    python(
        "b08b-denied",
        "it may not read a file",
        "import os\nos.setuid(1000)\nopen('/etc/shadow')\n",
        "Permission denied: '/etc/shadow'",
        "chown",
    ),
    BrokenApp(
        "b23-volume",
        "its volume is not writable for its user",
        f"{WORKER}volumes: [{{name: data, mountPath: /data, size: 1m}}]\n",
        ("permission denied, open '/data/db.json'", "the volume at /data is not writable for node"),
        {
            "Dockerfile": dockerfile(NODE, "WORKDIR /app", "COPY . .", "USER node", 'CMD ["node", "s.js"]'),
            "s.js": "require('fs').writeFileSync('/data/db.json', '{}')\n",
        },
        image=NODE,
    ),
    # Programs that need a service
    python(
        "b35-refused",
        "the database refuses",
        "import socket\nsocket.create_connection(('127.0.0.1', 5432))\n",
        "Connection refused",
        "env or secrets",
    ),
    node(
        "m02-refused",
        "Redis refuses",
        "require('net').connect(6379, '127.0.0.1')\n",
        "ECONNREFUSED 127.0.0.1:6379",
        "inside the container",
    ),
    python(
        "m03-no-host",
        "no host has the name db",
        "import socket\nsocket.create_connection(('db.invalid', 5432))\n",
        "gaierror",
        "no host has the name",
    ),
    python(
        "m04-in-use",
        "it starts two servers on one port",
        "import http.server as h\n"
        "a = h.HTTPServer(('', 8080), h.SimpleHTTPRequestHandler)\n"
        "b = h.HTTPServer(('', 8080), h.SimpleHTTPRequestHandler)\n",
        "Address already in use",
        "two servers on one port",
        spec=HEALTHY,
    ),
    # Programs that end
    shell(
        "b06-memory",
        "it needs more memory than it has",
        "x=$(head -c 90000000 /dev/zero | tr '\\0' a); echo $x",
        "used more than its 16 MiB",
        "raise resources.memory",
        spec=f"{HEALTHY}resources: {{memory: 16m}}\n",
    ),
    shell(
        "b07-dies",
        "it ends after 2 s",
        "sleep 2; echo cannot load the model >&2; exit 3",
        "exited 3 after",
        "cannot load the model",
        quick=False,
    ),
    shell(
        "b25-daemon",
        "it goes to the background",
        "httpd -p 8080",
        "exited 0",
        "must keep running",
        spec=HEALTHY,
        quick=False,
    ),
    shell("m10-crash", "it crashes", "kill -SEGV $$", "139 (SIGSEGV: it crashed)", quick=False),
    BrokenApp(
        "m05-panic",
        "a panic of Go",
        WEB,
        ("panic: assignment to entry in nil map",),
        {
            "Dockerfile": dockerfile(GO, "WORKDIR /src", "COPY . .", "RUN go build -o /app main.go", 'CMD ["/app"]'),
            "main.go": 'package main\n\nfunc main() {\n\tvar m map[string]int\n\tm["a"] = 1\n}\n',
        },
        image=GO,
    ),
    node(
        "m08-json-log",
        "its port is not a number; it logs as JSON",
        "console.log(JSON.stringify({level: 'fatal', msg: 'cannot load config', error: "
        "'PORT_RANGE: not a number'}))\nprocess.exit(2)\n",
        "exited 2",
        "cannot load config: PORT_RANGE: not a number",
        spec=WORKER,
    ),
    BrokenApp(
        "m09-type-error",
        "an error below npm start",
        WEB,
        ("TypeError: undefinedThing is not a function",),
        {
            "Dockerfile": script(NODE, "start", "npm"),
            "s.js": "const undefinedThing = 1\nundefinedThing()\n",
            "package.json": '{"name": "x", "version": "1.0.0", "scripts": {"start": "node s.js"}}',
        },
        image=NODE,
    ),
    shell(
        "m25-typo",
        "a typing error in command",
        "set -e; serv -p 8080; httpd -f -p 8080",
        "no program serv",
        "install it",
        quick=False,
    ),
)
