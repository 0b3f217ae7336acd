"""cloudflared's file config.yaml: parses it as cloudflared does, and edits it.

Only the lines of rules that change are replaced, so that all other lines keep their comments and layout. Before the
edited text is written, it is parsed and compared with the rules that it should contain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Final

import yaml

from norn_tasks.domain.errors import TunnelFailed
from norn_tasks.domain.tunnel.ingress import RawRule, read_ingress

_INGRESS: Final = "ingress"
_CORRECT: Final = "correct the file first: docs/tunnel.md"


class _Loader(yaml.SafeLoader):
    """Parses YAML, and refuses a key that is repeated in one mapping."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Returns the mapping; raises ConstructorError if a key is repeated."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        for n, key in enumerate(keys):
            if key in keys[:n]:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} is there twice", node.start_mark)
        return super().construct_mapping(node, deep)


@dataclass(frozen=True)
class ConfigFile:
    """A config.yaml that cloudflared would accept, or one without rules."""

    text: str
    values: dict[str, Any]

    @classmethod
    def read(cls, text: str) -> ConfigFile:
        """Parses the file; raises TunnelFailed with the mistake for which cloudflared would refuse it."""
        values = _values(text)
        if values.get(_INGRESS) not in (None, []):
            read_ingress(values[_INGRESS], _bastion(values))
        return cls(text, values)

    @property
    def rules(self) -> list[RawRule]:
        """The ingress rules."""
        return list(self.values.get(_INGRESS) or [])

    @property
    def tunnel(self) -> str:
        """The id or the name of the tunnel; empty if the file names none."""
        return str(self.values.get("tunnel") or "")

    def with_rules(self, rules: Sequence[RawRule]) -> ConfigFile:
        """Returns the file with these rules; raises TunnelFailed if it cannot be edited."""
        plain = [dict(rule) for rule in rules]
        read_ingress(plain, _bastion(self.values))
        edited = _edited(self.text, self.rules, plain)
        values = _values(edited)
        if values != {**self.values, _INGRESS: plain}:
            raise TunnelFailed(
                "Norn cannot edit the rules of this config.yaml without changing other lines",
                hint="write ingress as a list with one rule per item, without anchors",
            )
        return ConfigFile(edited, values)


def _values(text: str) -> dict[str, Any]:
    try:
        found = _Loader(text).get_single_data()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or "it cannot be read"
        raise TunnelFailed(f"config.yaml is no YAML{where}: {problem}", hint=_CORRECT) from error
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise TunnelFailed("config.yaml is not a mapping of fields", hint=_CORRECT)
    return found


def _bastion(values: dict[str, Any]) -> bool:
    options = values.get("originRequest")
    return isinstance(options, dict) and bool(options.get("bastionMode"))


def _edited(text: str, old: Sequence[RawRule], new: Sequence[RawRule]) -> str:
    """Returns the text with the new rules in place of the old ones."""
    node = _ingress_node(text)
    if node is None:
        return f"{text.rstrip()}\n{_INGRESS}:\n{_written(new, 2)}".lstrip("\n")
    if not isinstance(node, yaml.SequenceNode) or node.flow_style or not node.value:
        flow = yaml.safe_dump([dict(rule) for rule in new], default_flow_style=True, width=10_000, sort_keys=False)
        before = text[: node.start_mark.index]
        blank = "" if before[-1:].isspace() else " "
        return before + blank + flow.strip() + text[node.end_mark.index :]
    lines, column = text.splitlines(keepends=True), node.start_mark.column
    starts = _starts(lines, node, column)
    if len(starts) != len(old):
        return text
    for change, first, last, from_new, to_new in reversed(_changes(old, new)):
        made = _written(new[from_new:to_new], column).splitlines(keepends=True)
        begin = starts[first] if first < len(starts) else _end(lines, starts[-1], node)
        if change == "insert" and first < len(starts):
            begin = _above_comments(lines, begin)
        end = _end(lines, starts[last - 1], node, starts[last:]) if change != "insert" else begin
        lines[begin:end] = made
    return "".join(lines)


def _ingress_node(text: str) -> yaml.Node | None:
    root = yaml.compose(text, yaml.SafeLoader)
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    return next((value for key, value in pairs if key.value == _INGRESS), None)


def _starts(lines: Sequence[str], node: yaml.SequenceNode, column: int) -> list[int]:
    """Returns the number of the first line of each item, which contains its dash."""
    span = range(node.start_mark.line, min(node.end_mark.line + 1, len(lines)))
    return [n for n in span if not lines[n][:column].strip() and lines[n][column : column + 2].rstrip() == "-"]


def _changes(old: Sequence[RawRule], new: Sequence[RawRule]) -> list[tuple[str, int, int, int, int]]:
    before, after = ([repr(sorted(rule.items(), key=repr)) for rule in rules] for rules in (old, new))
    codes = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    return [code for code in codes if code[0] != "equal"]


def _end(lines: Sequence[str], start: int, node: yaml.SequenceNode, following: Sequence[int] = ()) -> int:
    """Returns the number of the line after an item. Comments and blank lines after the item do not count."""
    end = following[0] if following else min(node.end_mark.line + 1, len(lines))
    if not following and node.end_mark.column == 0:
        end = node.end_mark.line
    while end > start + 1 and _silent(lines[end - 1]):
        end -= 1
    return end


def _above_comments(lines: Sequence[str], start: int) -> int:
    while start and lines[start - 1].lstrip().startswith("#"):
        start -= 1
    return start


def _silent(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")


def _written(rules: Sequence[RawRule], column: int) -> str:
    if not rules:
        return ""
    text = yaml.safe_dump([dict(rule) for rule in rules], default_flow_style=False, sort_keys=False, width=10_000)
    return "".join(f"{' ' * column}{line}\n" for line in text.splitlines())
