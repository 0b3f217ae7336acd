"""Recognises a Go module."""

from __future__ import annotations

import re

from norn_tasks.domain.starters.project import PORT, Directory, Project, lines

BASE, RUNS_ON = "golang:1.25-alpine", "alpine:3.21"
_LISTENS = r"(?:Listen|ListenAndServe|Run|Start|Addr)\w*(?:\(|:\s*)\s*\"[^\":]*:(\d{2,5})\""


def recognise(found: Directory) -> Project | None:
    """Returns the module if there is a go.mod."""
    if not found.has("go.mod"):
        return None
    mains = found.containing(r"^package main$", ".go")
    folder = mains[0].rpartition("/")[0] if mains else ""
    hit = next((hit for text in found.texts.values() if (hit := re.search(_LISTENS, text))), None)
    sums = " go.sum" if found.has("go.sum") else ""
    text = lines(
        f"FROM {BASE} AS build",
        "WORKDIR /src",
        f"COPY go.mod{sums} ./",
        "RUN go mod download",
        "COPY . .",
        f"RUN CGO_ENABLED=0 go build -o /app {f'./{folder}' if folder else '.'}",
        "",
        f"FROM {RUNS_ON}",
        "WORKDIR /srv",
        "COPY --from=build /app /app",
        'CMD ["/app"]',
    )
    return Project("Go", "go.mod", text, int(hit[1]) if hit else PORT)
