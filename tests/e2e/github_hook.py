"""A function for webhooks of GitHub: anyone may call it, and it accepts only requests with a valid signature."""

from __future__ import annotations

import hashlib
import hmac

from tests.e2e.stack import Stack

SECRET = b"It's a Secret to Everybody"

# HMAC-SHA256 (RFC 2104) with the programs of busybox. The key is shorter than a block, so it need not be hashed first.
CHECK = r"""#!/bin/sh
set -eu
xored() {
  hex=$(printf %s "$HOOK_SECRET" | xxd -p | tr -d '\n'); i=0
  while [ $i -lt 64 ]; do
    byte=$(printf %s "$hex" | cut -c $((i * 2 + 1))-$((i * 2 + 2)))
    printf %02x $((0x${byte:-0} ^ $1)); i=$((i + 1))
  done
}
cat > /tmp/body
inner=$({ xored 0x36 | xxd -r -p; cat /tmp/body; } | sha256sum | cut -d ' ' -f 1)
wanted=$({ xored 0x5c; printf %s "$inner"; } | xxd -r -p | sha256sum | cut -d ' ' -f 1)
given=$(printf %s "$NORN_REQUEST_HEADERS" | sed -n 's/.*"x-hub-signature-256": *"sha256=\([0-9a-f]*\)".*/\1/p')
if [ "$given" != "$wanted" ]; then printf 'Status: 401\n\nthe signature is wrong\n'; exit; fi
case $NORN_REQUEST_PATH in
  /broken) echo 'no header' ;;
  *) printf 'Status: 202 Accepted\nContent-Type: application/json\nX-Event: push\n\n{"ok": true}' ;;
esac
"""
DOCKERFILE = 'FROM busybox:stable\nCOPY check /check\nCMD ["sh", "/check"]\n'
SPEC = """
app: hook
role: function
env: {HOOK_SECRET: "It's a Secret to Everybody"}
function: {auth: none, response: cgi}
"""


def signed(body: bytes) -> str:
    """Returns the signature that GitHub sends with a body."""
    return "sha256=" + hmac.new(SECRET, body, hashlib.sha256).hexdigest()


def deploy(stack: Stack) -> None:
    """Deploys the function as `hook`."""
    stack.add_app("hook", SPEC, {"Dockerfile": DOCKERFILE, "check": CHECK})
    stack.norn("forge", "hook")
    stack.norn("deploy", "hook")
