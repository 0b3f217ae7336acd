"""Network isolation, tested from inside a container of each kind: it reaches nothing that is forbidden, and it reaches
other apps by their names.

With a packet socket or a raw socket, a container could read other apps' traffic by forged ARP. A port or a socket of
the control plane would give access to everything.
"""

from __future__ import annotations

import contextlib
import json
import socket

import pytest

from norn_tasks.store.status.health import CheckStatus
from tests.e2e.stack import Stack
from tests.servers import free_port, wait_until

PROBE = """
connects() { timeout 3 nc -w 1 "$@" </dev/null >/dev/null 2>&1; test $? != 1; }
arping -c 1 -w 1 -I lo 127.0.0.1 2>&1 | grep -q 'not permitted' || echo a packet socket
traceroute -m 1 -w 1 127.0.0.1 2>&1 | grep -q 'not permitted' || echo a raw socket
gateway=$(ip route | sed -n 's/^default via \\([^ ]*\\).*/\\1/p')
for at in 127.0.0.1 $gateway; do
  for port in PORTS; do
    connects $at $port && echo the control plane at $at:$port
  done
done
find / -xdev -type s 2>/dev/null
test -z "$METADATA_TOO" || { connects 169.254.169.254 80 && echo metadata; }
echo probed
"""
"""Prints a line for each thing that can be reached, then `probed`."""
ASK = """
printf 'GET / HTTP/1.0\\r\\nHost: mail-agent-service:PORT\\r\\n\\r\\n' | nc -w 5 mail-agent-service PORT | tail -n 1
"""
DOCKERFILE = "FROM busybox:stable\nCOPY *.sh /\nCOPY www /www\n"
STAYS = "sh /probe.sh >/tmp/probe; trap 'exit 0' TERM; while :; do sleep 0.1; done"
SERVES = "sh /probe.sh >/tmp/probe; trap 'exit 0' TERM; httpd -f -p $PORT -h /www & wait"
TESTED = 'test "$(sh /probe.sh) $(sh /ask.sh)" = "probed mail"'
CLOSED, ANSWERED = "probed\n", "mail\n"


def specs(port: int) -> dict[str, str]:
    """Returns apps of all roles. The deploy of `fun` fails unless its test reaches the other app and nothing
    forbidden.
    """
    return {
        "mail": f'role: webserver\nport: {port}\nhosts: {{internal: mail-agent-service}}\ncommand: "{SERVES}"\n',
        "wor": f'role: worker\ncommand: "{STAYS}"\n',
        "nightly": 'role: cron\nschedule: "0 0 1 1 *"\ncommand: METADATA_TOO=1 sh /probe.sh; sh /ask.sh\n',
        "fun": f"role: function\ncommand: sh /probe.sh; sh /ask.sh\nbuild:\n  test: {TESTED}\n",
    }


def files(stack: Stack, port: int) -> dict[str, str]:
    """Returns the files of an app: a Dockerfile, a page, and scripts that probe the ports of this control plane and ask
    the webserver. The ports include 5432, the default of PostgreSQL, although this PostgreSQL uses a socket.
    """
    assert stack.broker is not None
    ports = [stack.port, stack.broker.port, stack.environment["NORN_ROUTER_PORT_FIRST"], 5432]
    probe = PROBE.replace("PORTS", " ".join(map(str, ports)))
    scripts = {"probe.sh": probe, "ask.sh": ASK.replace("PORT", str(port))}
    return {"Dockerfile": DOCKERFILE, "www/index.html": ANSWERED, **scripts}


@pytest.fixture(scope="module", autouse=True)
def port(stack: Stack) -> int:
    """The port of the live webserver, whose internal name is mail-agent-service."""
    port = free_port()
    for name, spec in specs(port).items():
        stack.add_app(name, f"app: {name}\n{spec}", files(stack, port))
        stack.norn("forge", name)
        stack.norn("deploy", name)
        wait_until(lambda: listens_for_runs(stack, port), 60, "the router listens for runs")
    return port


def listens_for_runs(stack: Stack, port: int) -> bool:
    """Returns True if the router listens for runs."""
    known = stack.rows("SELECT runs_address FROM engines WHERE runs_address IS NOT NULL")
    with contextlib.suppress(OSError), socket.socket() as client:
        client.connect((known[0]["runs_address"].partition("/")[0] if known else "127.0.0.1", port))
        return True
    return False


@pytest.mark.parametrize("app", ["mail", "wor"])
def test_a_replica_and_a_program_in_it_find_nothing_open(stack: Stack, app: str) -> None:
    assert stack.norn("exec", app, "--", "cat", "/tmp/probe").stdout.decode() == CLOSED
    assert stack.norn("exec", app, "--", "sh", "/probe.sh").stdout.decode() == CLOSED


def test_a_call_and_a_one_off_find_nothing_open_but_another_app_by_its_name(stack: Stack) -> None:
    assert stack.norn("invoke", "fun").stdout.decode() == CLOSED + ANSWERED
    both = "sh /probe.sh; sh /ask.sh"
    assert stack.norn("run", "mail", "--", "sh", "-c", both).stdout.decode() == CLOSED + ANSWERED


def test_a_cron_run_finds_only_metadata_open_and_doctor_says_so(stack: Stack) -> None:
    found = stack.json("cron", "run", "nightly")["stdout"]
    assert found in (CLOSED + ANSWERED, f"metadata\n{CLOSED}{ANSWERED}")
    wait_until(lambda: stack.rows("SELECT 1 FROM engines WHERE metadata_reached IS NOT NULL"), 60, "it was tried")
    asked = stack.norn("-o", "json", "doctor", check=False)
    checks = {each["name"]: each["status"] for each in json.loads(asked.stdout)["checks"]}
    assert checks["metadata"] == (CheckStatus.WARN if "metadata" in found else CheckStatus.OK)


def test_a_run_reaches_no_replica_by_its_address(stack: Stack, port: int) -> None:
    """Only a name leads to another app, and only to webservers."""
    replica = stack.rows("SELECT address FROM replicas WHERE app = 'mail'")[0]["address"].partition(":")[0]
    tries = f"nc -w 1 {replica} {port} </dev/null && echo open; echo tried"
    assert stack.norn("run", "fun", "--", "sh", "-c", tries).stdout.decode() == "tried\n"
