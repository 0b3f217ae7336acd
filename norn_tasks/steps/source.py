"""The source: fetched into a private directory of this machine, and thrown away at the end."""

from __future__ import annotations

import shutil
from pathlib import Path

from norn_tasks.domain.deployment import DeploymentState
from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.domain.infraspec import Infraspec, decode, parse
from norn_tasks.domain.step import Learned, Resume
from norn_tasks.domain.writes import SpecLearned
from norn_tasks.ports import Checkout
from norn_tasks.steps.step import Context, Step

SPEC_FILE = "infraspec.yaml"


class CloneSource(Step):
    """Fetches the exact revision, and learns its spec, which governs the rest of the deploy."""

    name = "clone-source"
    resume = Resume.REDO
    stage = DeploymentState.BUILDING

    def run(self, context: Context) -> Learned | None:
        """Leaves the source in `<workspace>/source`; a job whose image is built already needs none."""
        if "image_id" in context.job.facts:
            return None
        checkout = self._checkout(context)
        spec = self._spec(context, checkout.path)
        context.watch.say(f"revision {checkout.revision}\n")
        return Learned(
            facts={"revision": checkout.revision},
            writes=(SpecLearned(spec.to_json(), checkout.revision),),
            note=checkout.revision[:12],
        )

    def _checkout(self, context: Context) -> Checkout:
        into = context.workspace / "source"
        shutil.rmtree(into, ignore_errors=True)
        into.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        args = context.job.args
        if args["source"] == "git":
            ref = context.job.facts.get("revision") or args["ref"]
            return context.tools.git.checkout(args["url"], ref, into, context.watch)
        if args["source"] == "upload":
            return context.tools.sources.checkout(context.job.app, args["revision"], into, context.watch)
        return context.tools.directories.checkout(Path(args["origin"]), into, context.watch)

    def _spec(self, context: Context, source: Path) -> Infraspec:
        """Answers the revision's spec; one without the file keeps the registered spec."""
        path = source / SPEC_FILE
        if path.is_symlink() or not path.is_file():
            return context.spec
        spec = parse(decode(path.read_bytes(), SPEC_FILE), SPEC_FILE)
        for field, mine, theirs in (("app", context.spec.app, spec.app), ("role", context.spec.role, spec.role)):
            if mine != theirs:
                raise InvalidRequest(
                    f"{SPEC_FILE} of this revision says {field}: {theirs}, and the app is {mine}",
                    hint=f"an app's {field} may not change; apply it as an app of its own",
                )
        return spec


class DiscardSource(Step):
    """Throws the job's private directory away, whatever became of the job."""

    name = "discard-source"
    best_effort = True
    resume = Resume.REDO
    always = True

    def run(self, context: Context) -> Learned | None:
        """Removes the directory."""
        shutil.rmtree(context.workspace, ignore_errors=True)
        return None
