"""Keeps a tunnel's rules in the ConfigMap of a cloudflared that runs in Kubernetes, and restarts its pods one after the
other.

The API server of Kubernetes refuses a write to an object that has changed since it was read, so nobody else's change is
lost. The pods carry the hash of config.yaml as an annotation, and Kubernetes restarts them only when the hash changes.
So a worker that takes over from a killed worker can safely annotate them again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from norn_tasks.adapters.cloudflare.rules import Edit
from norn_tasks.adapters.cloudflare.waiting import Waiting
from norn_tasks.adapters.kubernetes.api import Api
from norn_tasks.adapters.kubernetes.refusals import ObjectMoved
from norn_tasks.domain.errors import NornError, StepFailed, TunnelFailed
from norn_tasks.domain.tunnel.config_file import ConfigFile
from norn_tasks.domain.tunnel.external_host import ExternalHost, RulesLook, TunnelCheck
from norn_tasks.domain.tunnel.ingress import RawRule
from norn_tasks.domain.tunnel.rules import fault_of
from norn_tasks.ports import Stop

FILE: Final = "config.yaml"
HASH: Final = "norn.io/tunnel-config"
_TRIES, _PAUSE = 20, 0.2
_RIGHTS = "deploy/kubernetes/cloudflared.yaml has the objects and the rights that Norn needs"


@dataclass(frozen=True)
class ConfigMapRules:
    """Implements `RuleKeeper` with a ConfigMap. The Deployment that runs cloudflared has the same name as the
    ConfigMap.
    """

    api: Api
    name: str

    @property
    def tunnel(self) -> str:
        """Returns the tunnel that the file in the ConfigMap names."""
        return self._file(self._seen("ConfigMap")).tunnel

    def read(self, waiting: Waiting) -> list[RawRule]:
        """Returns the tunnel's present rules."""
        waiting.check()
        return self._file(self._seen("ConfigMap")).rules

    def change(self, edit: Edit, waiting: Waiting, *, unfinished: bool) -> bool:
        """Writes the edited rules, and restarts cloudflared so that it reads them; returns True if it wrote them."""
        before = self._written(edit, waiting)
        if before is None and not unfinished:
            return False
        self._moved("Deployment", self._restart, waiting)
        return before is not None

    def look(self, known: Sequence[ExternalHost], stop: Stop) -> RulesLook:
        """Compares the rules with the host names in Norn's database, and counts the ready pods of the Deployment."""
        try:
            rules = self._file(self._seen("ConfigMap")).rules
            silent, sentence = _state(self._seen("Deployment"), self._where)
        except NornError as error:
            return RulesLook((TunnelCheck("tunnel", False, error.sentence, error.hint),), {})
        ruled = [each for each in known if each.ruled and each.service is not None and not each.leaving]
        faults = {each.host: fault_of(rules, each.host, each.service or "") for each in ruled}
        return RulesLook((TunnelCheck("tunnel", True, silent or sentence),), faults, silent)

    def _written(self, edit: Edit, waiting: Waiting) -> str | None:
        """Writes the edited file; returns its previous text, or None if the edit changes nothing."""
        first: list[str] = []

        def write() -> None:
            seen = self._seen("ConfigMap")
            file = self._file(seen)
            wanted = edit(file.rules)
            if wanted == file.rules:
                return
            first.append(file.text)
            waiting.check()
            changes = [_unchanged(seen), _set(f"/data/{FILE}", file.with_rules(wanted).text)]
            self.api.patch(seen, changes)

        self._moved("ConfigMap", write, waiting)
        return first[0] if first else None

    def _restart(self) -> None:
        """Annotates the Deployment's pods with the hash of the file; a new hash restarts them."""
        wanted = hashlib.sha256(self._file(self._seen("ConfigMap")).text.encode()).hexdigest()[:16]
        seen = self._seen("Deployment")
        metadata = seen["spec"]["template"].get("metadata") or {}
        annotations = metadata.get("annotations")
        if (annotations or {}).get(HASH) == wanted:
            return
        at, key = "/spec/template/metadata/annotations", HASH.replace("/", "~1")
        change = _set(f"{at}/{key}", wanted) if annotations else _set(at, {HASH: wanted})
        self.api.patch(seen, [_unchanged(seen), change])

    def _moved(self, kind: str, work: Any, waiting: Waiting) -> None:
        """Runs `work`, and repeats it if others changed the object between its reading and its writing. Raises
        StepFailed after 20 such tries.
        """
        for _ in range(_TRIES):
            try:
                work()
                return
            except ObjectMoved:
                waiting.pause(_PAUSE)
        raise StepFailed(f"{kind} {self._where} is changed by others each time that Norn writes it")

    def _seen(self, kind: str) -> dict[str, Any]:
        seen = self.api.get(kind, self.name)
        if seen is None:
            raise TunnelFailed(f"the cluster has no {kind} {self._where}", hint=_RIGHTS)
        return dict(seen)

    def _file(self, seen: dict[str, Any]) -> ConfigFile:
        text = (seen.get("data") or {}).get(FILE)
        if text is None:
            raise TunnelFailed(f"the ConfigMap {self._where} has no {FILE}", hint=_RIGHTS)
        return ConfigFile.read(text)

    @property
    def _where(self) -> str:
        return f"{self.api.namespace}/{self.name}"


def _unchanged(seen: dict[str, Any]) -> dict[str, Any]:
    return _set("/metadata/resourceVersion", seen["metadata"]["resourceVersion"], op="replace")


def _set(path: str, value: Any, *, op: str = "add") -> dict[str, Any]:
    return {"op": op, "path": path, "value": value}


def _state(deployment: dict[str, Any], where: str) -> tuple[str, str]:
    """Returns why no request can reach a pod (empty if one can), and a sentence on the state of the Deployment."""
    wanted, status = int(deployment["spec"]["replicas"]), deployment.get("status") or {}
    ready = status.get("readyReplicas", 0)
    sentence = f"{ready} of {wanted} pods of the Deployment {where} are ready"
    if status.get("updatedReplicas", 0) < wanted:
        sentence += "; its pods are being restarted"
    return ("" if ready else f"no pod of the Deployment {where} is ready"), sentence
