"""Calls of an API in which later ones get what earlier ones have produced, as the links of its document say."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Values = dict[str, dict[str, Any]]
"""Values of a call's fields, by their place: path, query or body."""

_PRODUCTS_KEPT = 6


def links_of(operation: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the status of each response that has links, and the links."""
    for status, response in operation["responses"].items():
        for link in response.get("links", {}).values():
            yield status, link


def _found(body: Any, pointer: str) -> Any:
    for part in pointer.removeprefix("/").split("/"):
        if isinstance(body, list):
            body = body[int(part)] if int(part) < len(body) else None
        else:
            body = body.get(part) if isinstance(body, dict) else None
    return body


def extracted(link: Mapping[str, Any], path: Mapping[str, Any], body: Any) -> Values | None:
    """Return what a link passes on from a call and its response; None if the response has not all of it."""

    def value(expression: str) -> Any:
        place, _, rest = expression.partition("#" if "#" in expression else "path.")
        return _found(body, rest) if place == "$response.body" else path[rest]

    values: Values = {"path": {}, "query": {}, "body": {}}
    for name, expression in link["parameters"].items():
        place, _, field = name.partition(".")
        values[place][field] = value(expression)
    values["body"] = {name: value(expression) for name, expression in link.get("requestBody", {}).items()}
    return None if any(one is None for fields in values.values() for one in fields.values()) else values


_WITH_STATE = frozenset({"webhookId", "campaignId", "transactionalMailId"})


def _has_led(case: Any, answer: Any) -> bool:
    """Return whether a call got to something that exists. Unknown things with a state get 404, others 409 as well."""
    if answer.status_code < 300 or answer.status_code == 404:
        return bool(answer.status_code < 300)
    return not _WITH_STATE.isdisjoint(case.path_parameters) and answer.json()["violations"] == []


class Life:
    """Calls operations in any order. It remembers what responses produced, and which links led to a success."""

    def __init__(self, call: Callable[[Any], Any], chance: random.Random) -> None:
        """`call(case)` returns the response of a case of schemathesis's, and judges it."""
        self._call = call
        self._chance = chance
        self.reached: set[str] = set()
        """Operations that have succeeded."""
        self.followed: set[tuple[str, str]] = set()
        """Links that have led to a success: the ids of both operations."""
        self.begin()

    def begin(self) -> None:
        """Forget what responses produced, as after a reset."""
        self._products: dict[str, dict[str, list[Values]]] = defaultdict(lambda: defaultdict(list))
        """What links have passed on, by operation and by where it came from."""

    def step(self, case: Any, *, alone: bool = False) -> None:
        """Call an operation with what earlier responses have produced for it, unless it is to stand `alone`."""
        raw = case.operation.definition.raw
        name = raw["operationId"]
        sources = {} if alone else self._products[name]
        order = sorted(sources)
        self._chance.shuffle(order)
        # One link leads here, rather a new one; what it does not give comes from others.
        order.sort(key=lambda source: (source, name) in self.followed)
        for source in reversed(order):
            self._fill(case, self._chance.choice(sources[source]))
        answer = self._call(case)
        if order and _has_led(case, answer):
            self.followed.add((order[0], name))
        if answer.status_code < 300:
            self.reached.add(name)
            self._remember(raw, case, answer)

    def _fill(self, case: Any, values: Values) -> None:
        case.path_parameters = (case.path_parameters or {}) | values["path"]
        case.query = (case.query or {}) | values["query"]
        if values["body"] and isinstance(case.body, dict):
            case.body = case.body | values["body"]

    def _remember(self, raw: Mapping[str, Any], case: Any, answer: Any) -> None:
        body = answer.json() if answer.content else None
        for status, link in links_of(raw):
            values = extracted(link, case.path_parameters or {}, body) if int(status) == answer.status_code else None
            if values is not None:
                kept = self._products[link["operationId"]][raw["operationId"]]
                kept.append(values)
                del kept[:-_PRODUCTS_KEPT]
