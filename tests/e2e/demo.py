"""The results that `make demo` promises to show, each with the expression that finds it in the output."""

from __future__ import annotations

SHOWN = {
    "the webserver's answer": r"<h1>Hello, Ada!</h1>\n.*version 1\.",
    "the worker's log": r"(r1-1 \| job \d+: \S+ has \d+ words.*\n){2}",
    "the record of the cron job": r"\$ norn status daily-report\n(.*\n)+1 .* manual +succeeded +0 ",
    "what the cron job printed": r"Sales of the day before",
    "the picture that the function made": r"\$ norn invoke thumbnail-gen .*\nP2\n12 8\n255\n",
    "what the broken version said": r"✘ await-rollout .*\n.*\n +hello-web 2: cannot open the guest book: no such file",
    "why the broken deploy failed": r"error: await-rollout: the new container exited 1",
    "that no request failed during it": r"\n[1-9]\d* requests during the deploy, 0 of them failed\n",
    "that version 1 goes on serving": r'"app":"hello-web","version":"1"',
    "the failed deploy on record": r" deploy +failed +2 .* exited 1",
    "what to type next": r"Next, try ==\n(.*\n)+ +norn status hello-web ",
    "how to stop it": r"\n +make down ",
}
