"""Copies of a deployed cron app: its rows under other names."""

from __future__ import annotations

from tests.e2e.stack import Stack

# A row is cloned with all its columns, and only the columns that name the app are changed.
_CLONE = """
INSERT INTO {table}
SELECT (jsonb_populate_record(NULL::{table}, to_jsonb(t) || jsonb_build_object({changes}))).*
  FROM {table} t, generate_series(1, {count} - 1) k WHERE t.{app} = '{name}' RETURNING 1"""
_NAMED = "'{name}' || k"
_SPEC = "jsonb_set(t.spec, '{{app}}', to_jsonb('{name}' || k))"
_ROWS = (
    ("apps", "name", f"'name', {_NAMED}, 'spec', {_SPEC}, 'live_deployment', t.live_deployment + 1000000 + k"),
    ("deployments", "app", f"'app', {_NAMED}, 'id', t.id + 1000000 + k"),
    ("releases", "app", f"'app', {_NAMED}, 'spec', {_SPEC}"),
    ("cron_states", "app", f"'app', {_NAMED}"),
    ("slots", "app", f"'app', {_NAMED}"),
)


def clone(stack: Stack, name: str, count: int) -> None:
    """Makes copies of an app, so that there are `count` apps: `name`, `name` with 1, with 2, and so on."""
    for table, app, changes in _ROWS:
        stack.rows(_CLONE.format(table=table, app=app, changes=changes.format(name=name), count=count, name=name))
