"""Apps whose infraspec is wrong, or names something that does not exist."""

from __future__ import annotations

from tests.broken.case import BUSY, WEB, WORKER, BrokenApp, dockerfile

PLAIN = {"Dockerfile": dockerfile(BUSY)}

SPECS = (
    BrokenApp(
        "b22-secret",
        "a secret is not set",
        f"{WORKER}secrets: [STRIPE_KEY]\n",
        ("STRIPE_KEY", "norn secrets set"),
        PLAIN,
        quick=True,
    ),
    BrokenApp(
        "b30-mistakes",
        "four mistakes in the spec",
        f"{WEB}helthcheck: /x\nreplicas: many\nenv: {{1A: b}}\nbuild: {{tests: x}}\n",
        ("helthcheck", "replicas", "1A", "build.tests"),
        PLAIN,
    ),
    BrokenApp(
        "m33-role",
        "a role that does not exist",
        "role: webservr\nport: 80\n",
        ("webservr", "did you mean webserver"),
        PLAIN,
    ),
)
