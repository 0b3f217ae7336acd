"""Reads objects from YAML or JSON: one or more documents, each an object or a `List`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import yaml

from norn_tasks.adapters.kubernetes.assess.objects import KubeObject, text
from norn_tasks.adapters.kubernetes.assess.verdicts import NotAssessable

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def objects_in(written: str, where: str) -> list[KubeObject]:
    """Returns the objects in a text; `where` is the name of the text in error messages. Raises NotAssessable if the
    text cannot be parsed or holds no objects.
    """
    try:
        documents = _documents(written)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "it cannot be read"
        raise NotAssessable(f"{where}{place} is not YAML: {problem}") from error
    except (ValueError, RecursionError) as error:
        raise NotAssessable(f"{where} is not YAML that can be read: {error}") from error
    found = [each for number, one in enumerate(documents, 1) for each in _objects(one, f"document {number} of {where}")]
    if not found:
        raise NotAssessable(f"{where} holds no objects")
    return found


def _documents(written: str) -> list[object]:
    """Returns the documents. JSON is parsed as JSON and not as YAML, because YAML forbids the tabs that JSON allows."""
    if written.lstrip().startswith("{"):
        try:
            return [json.loads(written)]
        except json.JSONDecodeError:
            pass
    return list(yaml.load_all(written, Loader=_Loader))


def _objects(document: object, where: str) -> Iterator[KubeObject]:
    if document is None:
        return
    if not isinstance(document, Mapping) or not text(document, "kind"):
        raise NotAssessable(f"{where} is not an object of Kubernetes: it has no kind")
    if not text(document, "kind").endswith("List"):
        yield document
        return
    items = document.get("items")
    if not isinstance(items, list):
        raise NotAssessable(f"{where} is a {text(document, 'kind')} without items")
    kind = text(document, "kind").removesuffix("List")
    for number, each in enumerate(items, 1):
        named = {**each, "kind": kind} if isinstance(each, Mapping) and kind and not each.get("kind") else each
        yield from _objects(named, f"item {number} of {where}")
