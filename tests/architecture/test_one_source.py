"""Each rule of the domain is written in one module; other modules use the name that this module defines."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import pytest

from norn_tasks.domain.infraspec import sections
from norn_tasks.domain.infraspec.model import Infraspec
from tests.architecture.keys import HISTORY
from tests.architecture.source import ROOT, modules, tree

Finder = Callable[[ast.Module], Iterator[int]]


@dataclass(frozen=True)
class Rule:
    """A rule, the files in which it may be written, and a line that would repeat the rule elsewhere."""

    name: str
    homes: tuple[str, ...]
    finds: Finder
    planted: tuple[str, ...]


def _sql(pattern: str) -> Finder:
    """Returns a finder of strings that contain the pattern; an expression inside an f-string reads as `{}`."""
    wanted = re.compile(pattern)

    def find(module: ast.Module) -> Iterator[int]:
        inside = {id(part) for node in ast.walk(module) if isinstance(node, ast.JoinedStr) for part in node.values}
        for node in ast.walk(module):
            if isinstance(node, ast.Constant | ast.JoinedStr) and id(node) not in inside and wanted.search(_text(node)):
                yield node.lineno

    return find


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return " ".join("".join(map(_text, node.values)).split())
    return " ".join(node.value.split(" ")) if isinstance(node, ast.Constant) and isinstance(node.value, str) else "{}"


def _open_states(module: ast.Module) -> Iterator[int]:
    """Finds lists of the states of an open job or run, as strings or as members of their enumeration."""
    yield from _sql(r"state (NOT )?IN \('(queued|pending)', 'running'")(module)
    for node in ast.walk(module):
        if isinstance(node, ast.Tuple | ast.List | ast.Set):
            words = {_word(each) for each in node.elts}
            if "running" in words and words & {"queued", "pending"}:
                yield node.lineno


def _word(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr.lower()
    return str(node.value) if isinstance(node, ast.Constant) else ""


def _doubling(module: ast.Module) -> Iterator[int]:
    """Finds powers of two with a computed exponent, and sums that are doubled."""
    for node in ast.walk(module):
        if not isinstance(node, ast.BinOp):
            continue
        two = [getattr(side, "value", None) == 2 for side in (node.left, node.right)]
        power = isinstance(node.op, ast.Pow) and two[0] and not isinstance(node.right, ast.Constant)
        pause = isinstance(node.op, ast.Mult) and any(two) and re.search("pause|seconds|delay", ast.unparse(node))
        if power or pause:
            yield node.lineno


SPEC = frozenset(
    name
    for model in (Infraspec, *(each for each in vars(sections).values() if hasattr(each, "model_fields")))
    for field, info in model.model_fields.items()
    for name in (field, info.alias or field)
)
"""The names of the fields of a spec, as Python and as YAML spell them."""


def _defaults(module: ast.Module) -> Iterator[int]:
    """Finds a field of a spec that is read with a default value: none is needed, because a stored spec contains its
    defaults.
    """
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
            field = getattr(node.args[0], "value", None) if node.args else None
            defaulted = len(node.args) + len(node.keywords) > 1
            if defaulted and field in SPEC and "spec" in ast.unparse(node.func.value):
                yield node.lineno
    yield from _sql(r"coalesce\((CAST\()?\w*\.?spec ?(->|#>)[^,]*, ?('|\d|true|false)")(module)


RULES = (
    Rule(
        "which jobs and runs are open",
        ("norn_tasks/domain/jobs/job.py", "norn_tasks/domain/jobs/execution.py", "norn_cli/answers.py"),
        _open_states,
        (
            "text(\"SELECT 1 FROM jobs WHERE state IN ('queued', 'running')\")",
            "text(f\"SELECT {what} FROM jobs WHERE state NOT IN ('pending', 'running', 'cancelled')\")",
            'JobRow.state.in_(("queued", "running"))',
            "state in (JobState.RUNNING, JobState.QUEUED)",
        ),
    ),
    Rule(
        "which jobs are ready",
        ("norn_tasks/store/rules/ready.py",),
        _sql(r"run_after <= clock_timestamp\(\)|o\.id < c\.id"),
        (
            'text("SELECT class FROM jobs WHERE run_after <= clock_timestamp()")',
            'text(f"{IT} AND EXISTS (SELECT 1 FROM jobs o WHERE o.app = c.app AND o.id < c.id)")',
        ),
    ),
    Rule(
        "whether a fence holds",
        ("norn_tasks/store/rules/fence.py",),
        _sql(r"lease_token = (:|\w+\.)"),
        (
            'text("UPDATE jobs SET release = 1 WHERE id = :job AND lease_token = :token")',
            'text(f"SELECT {what} FROM jobs j JOIN held h ON j.id = h.id AND j.lease_token = h.token")',
        ),
    ),
    Rule(
        "how a job is accepted",
        ("norn_tasks/store/queue/jobs.py",),
        _sql(r"INSERT INTO jobs\b"),
        ("text(f\"INSERT INTO jobs(kind, app) SELECT 'cron-run', app FROM {due}\")",),
    ),
    Rule(
        "how pauses double",
        ("norn_tasks/domain/backoff.py",),
        _doubling,
        ("first * 2 ** (attempts - 1)", "min(pause.seconds * 2, LONGEST)"),
    ),
    Rule(
        "the defaults of a spec",
        (),
        _defaults,
        (
            'spec.get("replicas", 1)',
            'row["spec"].get("startDeadline", None)',
            "text(\"SELECT coalesce(CAST(spec ->> 'replicas' AS bigint), 1) FROM apps\")",
            "text(\"SELECT coalesce(r.spec ->> 'concurrency', 'forbid') FROM releases r\")",
        ),
    ),
    Rule(
        "the labels of what Norn makes",
        ("norn_tasks/adapters/",),
        _sql(r"norn\.io/"),
        ('labels = {"norn.io/app": app}',),
    ),
    Rule(
        "the type of a JSON object",
        ("norn_cli/answers.py", "norn_tasks/domain/stored.py"),
        lambda module: (
            node.lineno
            for node in ast.walk(module)
            if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["Json"]
        ),
        ("Json = dict[str, Any]",),
    ),
)


@cache
def _parsed() -> dict[str, ast.Module]:
    """Returns the modules that may repeat no rule, by name. Migrations are left out: they keep the rules of the time
    when they were written.
    """
    return {path.relative_to(ROOT).as_posix(): tree(path) for path in modules() if path.parent != HISTORY}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_has_one_source(rule: Rule) -> None:
    elsewhere = {name: module for name, module in _parsed().items() if not name.startswith(rule.homes)}
    assert [f"{name}:{line}" for name, module in elsewhere.items() for line in sorted({*rule.finds(module)})] == []


@pytest.mark.parametrize("home", [home for rule in RULES for home in rule.homes])
def test_a_home_exists(home: str) -> None:
    assert any(name.startswith(home) for name in _parsed())


@pytest.mark.parametrize(("rule", "line"), [(rule, line) for rule in RULES for line in rule.planted])
def test_a_second_source_is_found(rule: Rule, line: str) -> None:
    assert list(rule.finds(ast.parse(f'"""Reads."""\n\n{line}\n'))) == [3]
