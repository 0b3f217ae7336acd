"""An admission webhook for tests: it refuses the pods of one namespace that have a certain environment variable."""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.kube import KubeKit

REFUSAL = "images of this namespace must be signed"
REFUSED = {"name": "REFUSE", "value": "yes"}
"""The webhook refuses a pod that has this environment variable."""


@contextmanager
def refusing_pods(kube: KubeKit, namespace: str, home: Path) -> Iterator[None]:
    """Runs the webhook for the pods of a namespace."""
    host = kube.environment["NORN_KUBE_HOST"]
    certificate = _certificate(host, home)
    kube.kubectl("label", "namespace", namespace, f"norn-test={namespace}")
    with _served(host, certificate) as port:
        (home / "hook.json").write_text(json.dumps(_configuration(namespace, f"https://{host}:{port}/", certificate)))
        kube.kubectl("apply", "-f", str(home / "hook.json"))
        try:
            yield
        finally:
            kube.kubectl("delete", "-f", str(home / "hook.json"), check=False)


def _configuration(namespace: str, url: str, certificate: Path) -> dict[str, Any]:
    hook = {
        "name": "signed.norn.example.com",
        "clientConfig": {"url": url, "caBundle": base64.b64encode(certificate.read_bytes()).decode()},
        "namespaceSelector": {"matchLabels": {"norn-test": namespace}},
        "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}],
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "timeoutSeconds": 10,
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": f"norn-test-{namespace}"},
        "webhooks": [hook],
    }


@contextmanager
def _served(host: str, certificate: Path) -> Iterator[int]:
    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["request"]
            body = json.dumps(_reviewed(request)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Writes no log."""

    server = ThreadingHTTPServer((host, 0), Hook)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def _reviewed(request: dict[str, Any]) -> dict[str, Any]:
    """Returns the webhook's response about a pod."""
    env = request["object"]["spec"]["containers"][0].get("env", [])
    answer: dict[str, Any] = {"uid": request["uid"], "allowed": REFUSED not in env}
    if REFUSED in env:
        answer["status"] = {"message": REFUSAL, "code": 403}
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": answer}


def _certificate(host: str, home: Path) -> Path:
    """Makes a certificate for an address, with its key in a file next to it."""
    certificate = home / "hook.crt"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=hook",
         "-addext", f"subjectAltName=IP:{host}", "-keyout", str(home / "hook.key"), "-out", str(certificate)],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    return certificate
