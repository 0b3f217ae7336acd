"""Encrypted files of secrets over the API, with a worker that has the key: import, export, and no secret in clear text
anywhere.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import text

from norn_tasks import sealing
from norn_tasks.adapters.sops import SopsFiles
from norn_tasks.adapters.vault import AgeVault
from norn_tasks.domain.access import Scope
from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.pipelines.runner import Runner
from norn_tasks.ports import Limits, Tools
from norn_tasks.store.apps import secrets
from norn_tasks.store.ledger.ledger import Ledger
from norn_tasks.store_adapters.secrets.files import SecretFileTable
from norn_tasks.worker.leases import JobStop
from norn_tasks.worker.output import StepOutput
from tests import factories as shared
from tests import sops
from tests.integration.api.factories import Api

KEY, MINE = sealing.fresh_key(), sealing.fresh_key()
PUBLIC = sealing.recipient_of(KEY)
CANARY = "canary-5f1e7c"
IMPORT, EXPORT = "/api/apps/blog/secrets/import", "/api/apps/blog/secrets/export"


@pytest.fixture
def keyed(api: Api) -> Api:
    """An application with the app `blog`, which names API_KEY and OTHER."""
    shared.add_live(api.database, "blog", "worker", "secrets: [API_KEY, OTHER]\n")
    with api.database.transaction() as tx:
        secrets.remember_recipient(tx, PUBLIC)
    return api


def send(api: Api, plain: str, recipient: str = PUBLIC):
    return api.post(IMPORT, data=sops.encrypt(plain, recipient), headers={"Content-Type": "application/yaml"})


def work(api: Api, tmp_path: Path) -> dict[str, Any]:
    """Runs the next job, and returns it as the API shows it."""
    vault = AgeVault(KEY, tmp_path / "nowhere")
    limits = Limits(1, 1, 1, engine_patience=0.0, workspace=tmp_path, instance="t")
    files = SecretFileTable(api.database, None)
    has = {"limits": limits, "vault": vault, "sops": SopsFiles(vault.unwrap), "secret_files": files}
    tools = cast(Tools, type("SomeTools", (), has))
    job = shared.claim(api.database, job_class=JobClass.OBSERVE)
    Runner(Ledger(api.database, patience=1), tools, StepOutput(api.database)).run(job, JobStop())
    return dict(api.get(f"/api/jobs/{job.id}").json or {})


def versions(api: Api) -> dict[str, int | None]:
    return {each["name"]: each["version"] for each in api.get("/api/apps/blog/secrets").json["items"]}


def everything(api: Api) -> str:
    with api.database.transaction() as tx:
        names = tx.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).all()
        return "".join(str(row) for name in names for row in tx.execute(text(f"SELECT * FROM {name}")))


def test_a_file_of_sops_is_imported_and_exported_again(keyed: Api, tmp_path: Path) -> None:
    values = {"API_KEY": CANARY, "OTHER": f"{CANARY}\ntwo"}
    accepted = send(keyed, f"API_KEY: {CANARY}\nOTHER: |-\n  {CANARY}\n  two\n")
    assert (accepted.status_code, accepted.json["kind"]) == (202, "import-secrets")
    assert CANARY not in everything(keyed)
    done = work(keyed, tmp_path)
    assert (done["state"], versions(keyed)) == ("succeeded", {"API_KEY": 1, "OTHER": 1}), done
    exporting = keyed.post(EXPORT, json={"recipients": [sealing.recipient_of(MINE)]})
    assert work(keyed, tmp_path)["state"] == "succeeded"
    file = keyed.get(f"{EXPORT}/{exporting.json['job']}").json["content"]
    assert sops.decrypt(file, MINE) == values
    assert CANARY not in everything(keyed)


def test_only_what_has_changed_gets_a_new_version(keyed: Api, tmp_path: Path) -> None:
    send(keyed, "API_KEY: one\nOTHER: x\n")
    work(keyed, tmp_path)
    send(keyed, "API_KEY: two\nOTHER: x\n")
    assert work(keyed, tmp_path)["steps"][0]["note"] == "API_KEY v2, 1 unchanged"
    assert versions(keyed) == {"API_KEY": 2, "OTHER": 1}


@pytest.mark.parametrize(
    ("plain", "sentence"),
    [
        (f"API_KEY: {CANARY}\nNORN_TOKEN: x\n", "is reserved"),
        (f"API_KEY: {CANARY}\nDATABASE_URL: x\n", "is set by services.postgres"),
        (f"API_KEY: {CANARY}\n1X: x\n", "is not an environment name"),
    ],
)
def test_one_that_cannot_be_set_leaves_all_as_they_were(keyed: Api, tmp_path: Path, plain: str, sentence: str) -> None:
    keyed.put_spec("shop", "app: shop\nrole: worker\nservices: {postgres: {database: shop_db}}\n")
    keyed.post(IMPORT.replace("blog", "shop"), data=sops.encrypt(plain, PUBLIC), content_type="application/yaml")
    done = work(keyed, tmp_path)
    assert done["state"] == "failed" and sentence in done["error"]["sentence"]
    assert keyed.get("/api/apps/shop/secrets").json["items"] == []


def test_a_worker_that_died_after_the_change_does_not_repeat_it(keyed: Api, tmp_path: Path) -> None:
    job = send(keyed, "API_KEY: one\n").json["job"]
    claimed = shared.claim(keyed.database, job_class=JobClass.OBSERVE)
    files = SecretFileTable(keyed.database, None)
    assert files.set_secrets("blog", SopsFiles(AgeVault(KEY, tmp_path).unwrap).opened(files.find(job) or ""),
                             claimed.fence) == {"API_KEY": 1}  # fmt: skip
    Ledger(keyed.database, patience=1).hand_back(claimed.fence, adopt=False)
    assert (work(keyed, tmp_path)["state"], versions(keyed)["API_KEY"]) == ("succeeded", 1)


def test_a_file_for_another_key_fails_with_the_way_out(keyed: Api, tmp_path: Path) -> None:
    send(keyed, "API_KEY: one\n", sealing.recipient_of(MINE))
    error = work(keyed, tmp_path)["error"]
    assert error["code"] == "secrets_file_refused" and "norn secrets key" in error["hint"]


@pytest.mark.parametrize(
    "text",
    [
        '"a\\0b": x\nsops: {age: []}\n',
        '"a\\ud800": x\nsops: {age: []}\n',
        'sops: {age: [{enc: "\\ud800"}]}\n',
    ],
)
def test_a_file_with_characters_that_no_row_can_have_is_refused_like_others(
    keyed: Api, tmp_path: Path, text: str
) -> None:
    keyed.post(IMPORT, data=text, content_type="application/yaml")
    assert work(keyed, tmp_path)["error"]["code"] == "secrets_file_refused"


def test_the_public_key_is_shown_and_no_export_to_what_is_none(keyed: Api) -> None:
    assert keyed.get("/api/secrets/key").json == {"recipient": PUBLIC}
    answer = keyed.post(EXPORT, json={"recipients": ["age1nobody"]})
    assert (answer.status_code, "age1nobody is no public age key" in answer.json["detail"]) == (422, True)


def test_an_export_needs_an_admin_and_its_file_is_of_one_app(keyed: Api, tmp_path: Path) -> None:
    send(keyed, "API_KEY: one\n")
    work(keyed, tmp_path)
    body = {"recipients": [sealing.recipient_of(MINE)]}
    deployer = keyed.asked_as(Scope.READ, Scope.DEPLOY)
    assert deployer.post(EXPORT, json=body).status_code == 403
    job = keyed.post(EXPORT, json=body).json["job"]
    work(keyed, tmp_path)
    assert deployer.get(f"{EXPORT}/{job}").status_code == 403
    assert keyed.get(f"/api/apps/shop/secrets/export/{job}").status_code == 404


def test_validate_names_secrets_that_are_missing_and_unused(keyed: Api, tmp_path: Path) -> None:
    send(keyed, "API_KEY: one\nOLD: x\nOLDER: y\n")
    work(keyed, tmp_path)
    spec = "app: blog\nrole: worker\nsecrets: [API_KEY, NEW, OLD]\n"
    answer = keyed.post("/api/apps/blog/validate", data=spec, content_type="text/yaml").json
    assert answer["secrets"] == {"missing": ["NEW"], "unused": ["OLDER"]}
    assert keyed.post("/api/validate", data=spec, content_type="text/yaml").json["secrets"] is None
