"""A git server of the tests' own: repositories over https on a loopback port, with a certificate of its own."""

from __future__ import annotations

import base64
import os
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.contract.repository import Repository


class GitServer:
    """Serves the repositories below `home`; `ca` is its certificate. With `login` it requires user and password."""

    def __init__(self, home: Path) -> None:
        home.mkdir(parents=True)
        self.home, self.ca = home, home / "ca.pem"
        self.login: tuple[str, str] | None = None
        self.asked: list[str] = []
        key = home / "key.pem"
        made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                "-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(self.ca)]  # fmt: skip
        subprocess.run(made, check=True, capture_output=True, timeout=60)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.ca, key)
        handler = type("Handler", (_Handler,), {"server_of_git": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def repository(self, name: str) -> Repository:
        """Makes a repository; `url(name)` is its address."""
        made = Repository(self.home / name)
        made.git("config", "uploadpack.allowReachableSHA1InWant", "true")
        return made

    def url(self, name: str) -> str:
        """Returns the address of a repository."""
        return f"https://localhost:{self.port}/{name}.git"

    def stop(self) -> None:
        """Stops the server."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    server_of_git: GitServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._serve(body)

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _serve(self, body: bytes) -> None:
        git = self.server_of_git
        git.asked.append(self.path)
        if git.login is not None:
            expected = "Basic " + base64.b64encode(":".join(git.login).encode()).decode()
            if self.headers.get("Authorization") != expected:
                self._answer(401, {"WWW-Authenticate": 'Basic realm="git"'}, b"")
                return
        path, _, query = self.path.partition("?")
        name, _, rest = path.lstrip("/").partition(".git/")
        env = {
            "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(git.home), "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": f"/{name}/.git/{rest}", "QUERY_STRING": query, "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }  # fmt: skip
        done = subprocess.run(["git", "http-backend"], env=env, input=body, capture_output=True, timeout=60)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
        status = int(headers.pop("Status", "200 OK").split()[0])
        self._answer(status, headers, content)

    def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
