"""Removes each verb in turn from the Role that Norn ships, on a real cluster: the check of rights must name the missing
verb.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from norn_tasks.adapters.kubernetes.access import ClusterAccess
from norn_tasks.adapters.kubernetes.api import Api
from norn_tasks.adapters.kubernetes.rights import NEEDED, missing
from norn_tasks.adapters.kubernetes.site import Object
from tests.kube import RBAC, KubeKit
from tests.servers import wait_until

Right = tuple[str, str, str]
"""Group, resource and verb."""
RIGHTS: list[Right] = [(*place, verb) for place, verbs in NEEDED.items() for verb in verbs]
AT_ONCE = 6
RBAC_GROUP = "rbac.authorization.k8s.io"

pytestmark = pytest.mark.timeout(300)


class _Impersonating(Api):
    """The API as a certain user sees it: the administrator sends the requests, and the cluster applies that user's
    rights.
    """

    def __init__(self, access: ClusterAccess, user: str) -> None:
        super().__init__(access)
        self._user = user

    def headers(self) -> dict[str, str]:
        """Returns the headers, which name the user."""
        return {**super().headers(), "Impersonate-User": self._user}


def user_of(right: Right) -> str:
    """Returns the user who has every right except this one."""
    return "without-" + "-".join(filter(None, right)).replace("/", "-")


def without(right: Right) -> list[Object]:
    """Returns the shipped Role without one right, and its binding to a user."""
    group, resource, verb = right
    (shipped,) = [each for each in yaml.safe_load_all(RBAC.read_text()) if each["kind"] == "Role"]
    rules = [
        {
            "apiGroups": [g],
            "resources": [r],
            "verbs": [v for v in rule["verbs"] if (g, r, v) != (group, resource, verb)],
        }
        for rule in shipped["rules"]
        for g in rule["apiGroups"]
        for r in rule["resources"]
    ]
    version, name = f"{RBAC_GROUP}/v1", user_of(right)
    bound = {"apiGroup": RBAC_GROUP, "kind": "Role", "name": name}
    subject = {"apiGroup": RBAC_GROUP, "kind": "User", "name": name}
    return [
        {"apiVersion": version, "kind": "Role", "metadata": {"name": name}, "rules": [r for r in rules if r["verbs"]]},
        {
            "apiVersion": version, "kind": "RoleBinding", "metadata": {"name": name}, "roleRef": bound,
            "subjects": [subject],
        },
    ]  # fmt: skip


def test_the_missing_right_is_named(kube: KubeKit, kube_api: Api, tmp_path: Path) -> None:
    namespace, file = kube_api.namespace, tmp_path / "roles.json"
    items = [each for right in RIGHTS for each in without(right)]
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    kube.kubectl("-n", namespace, "create", "-f", str(file))
    access = ClusterAccess(namespace, Path(kube.environment["KUBECONFIG"]))

    def lacks(right: Right) -> None:
        group, resource, verb = right
        api, named = _Impersonating(access, user_of(right)), f"{verb} {resource}" + (f".{group}" if group else "")
        wait_until(lambda: missing(api) == (named,), 60, f"only {named} is missing")

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lacks, RIGHTS))
    assert len(RIGHTS) > 30
