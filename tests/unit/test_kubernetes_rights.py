"""The Role that Norn ships grants what Norn needs, and nothing else."""

from __future__ import annotations

from pathlib import Path

import yaml

from norn_tasks.adapters.kubernetes.rights import NEEDED

RBAC = Path(__file__).parents[2] / "deploy" / "kubernetes" / "rbac.yaml"


def test_the_role_grants_exactly_what_is_needed() -> None:
    (role,) = [each for each in yaml.safe_load_all(RBAC.read_text()) if each["kind"] == "Role"]
    granted = {
        (group, resource): tuple(rule["verbs"])
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    assert granted == NEEDED
