"""Apps that run but cannot be reached, or whose responses are wrong."""

from __future__ import annotations

from tests.broken.case import HEALTHY, PYTHON, WEB, BrokenApp, script
from tests.broken.starts import node, python, shell

SERVER = """\
import http.server as h

class H(h.BaseHTTPRequestHandler):
    def do_GET(self):
        {body}

h.HTTPServer(('', 8080), H).serve_forever()
"""


def server(name: str, breaks: str, body: str, *says: str) -> BrokenApp:
    """Returns an app that responds to each request as `body` says."""
    return python(name, breaks, SERVER.format(body=body.replace("\n", "\n        ")), *says, spec=HEALTHY)


BINDS_FIRST = """\
import os, socket, sys, time
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('', 8080))
s.listen()
if os.fork() == 0:
    import pandas
os.wait()
time.sleep(1)
print('Worker failed to boot.', file=sys.stderr)
sys.exit(3)
"""
LOCKS = """\
import fcntl, http.server as h
lock = open('/data/lock', 'w')
fcntl.flock(lock, fcntl.LOCK_EX)
h.HTTPServer(('', 8080), h.SimpleHTTPRequestHandler).serve_forever()
"""

PORTS = (
    python(
        "c03a-import",
        "its port is open, and then an import fails in a worker",
        BINDS_FIRST,
        "exited 3",
        "No module named 'pandas'",
    ),
    shell(
        "b07c-dies-healthy",
        "it answers, and ends after 2 s",
        "mkdir /www; echo ok >/www/index.html; httpd -p 8080 -h /www; sleep 2; echo the licence "
        "has expired >&2; exit 7",
        "the licence has expired",
        quick=False,
    ),
    BrokenApp(
        "c02-lock",
        "it waits for a lock that the old replica holds",
        f"{HEALTHY}rollout: rolling\nvolumes: [{{name: data, mountPath: /data, size: 1m}}]\n",
        ("waits for a lock", "the old replica", "rollout: recreate"),
        {"Dockerfile": script(PYTHON, "app.py", "python"), "app.py": LOCKS},
        PYTHON,
        ("restart", "c02-lock"),
    ),
    shell("b01-other-port", "it listens on 3000", "httpd -f -p 3000", "it listens on port 3000", "write port: 3000"),
    shell("b02-localhost", "it listens on 127.0.0.1", "httpd -f -p 127.0.0.1:8080", "127.0.0.1:8080", "0.0.0.0:8080"),
    shell(
        "m11-waits",
        "it waits for its database",
        "while :; do echo 'waiting for db:5432: connection refused'; sleep 1; done",
        "db:5432",
        "start it",
    ),
    shell(
        "m29-deaf",
        "it listens on nothing",
        "echo loading the model; sleep 600",
        "it listens on no port",
        "loading the model",
        quick=False,
    ),
    shell(
        "b04-no-page",
        "its health page does not exist",
        "mkdir /www; httpd -f -p 8080 -h /www",
        "answered 404",
        "no such page",
        spec=f"{WEB}healthcheck: /healthz\n",
    ),
    shell(
        "b05-slow",
        "nothing: it is slow to start",
        "sleep 2; mkdir /www; echo ok >/www/index.html; httpd -f -p 8080 -h /www",
        spec=HEALTHY,
        quick=False,
    ),
    node(
        "b19-redirects",
        "nothing: a redirect counts",
        "require('http').createServer((q, a) => a.writeHead(301, {location: '/'}).end()).listen(8080)\n",
        spec=HEALTHY,
    ),
    server(
        "b20-host",
        "it refuses the Host header",
        "import sys\nprint(\"Invalid HTTP_HOST header: 'localhost'. You may need to add it to "
        'ALLOWED_HOSTS.", '
        "file=sys.stderr, flush=True)\nself.send_error(400)",
        "refuses the Host header",
        "ALLOWED_HOSTS",
    ),
    server(
        "b21-error",
        "its health page fails",
        "self.send_response(500)\nself.end_headers()\nraise ZeroDivisionError('division by zero')",
        "answered 500",
        "ZeroDivisionError: division by zero",
    ),
    server("m12-login", "its health page wants a login", "self.send_error(401)", "answered 401", "wants a login"),
    server(
        "m26-unavailable",
        "its database is away",
        "import sys\nprint('ERROR: database is away', file=sys.stderr, flush=True)\nself.send_error(503)",
        "answered 503",
        "database is away",
    ),
    server("b24-hangs", "its health page hangs", "import time\ntime.sleep(60)", "gave no answer within 2 s"),
    node(
        "m18-not-http",
        "it does not speak HTTP",
        "require('net').createServer(s => s.end('+OK\\r\\n')).listen(8080)\n",
        "not HTTP",
        spec=HEALTHY,
    ),
    node(
        "b31-tls",
        "it speaks TLS",
        "require('tls').createServer({ciphers: 'PSK', pskCallback: () => null}, s => s.end()).listen(8080)\n",
        "it speaks TLS (https)",
        "plain HTTP",
        spec=HEALTHY,
    ),
)
