"""Collections of the vendor's API: pages that clients follow by links."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar
from urllib.parse import quote

import msgspec

from mockcampaign.server.http.operation import Call
from mockcampaign.server.http.request import header, read_pairs
from mockcampaign.server.http.request_fields import INT32_MAX, Direction, about, between
from mockcampaign.server.vendor_api.client_fields import ClientFields

LIMIT_MAX = 10_000
"""Most elements of a page. Documented is less than that, but a public client asks for exactly so many."""
RECIPIENTS_LIMIT_MAX = 500_000
"""Most recipients of a page: as many as a public client asks for."""


Offset = Annotated[int, between(0, INT32_MAX), about("How many to skip.")]
Limit = Annotated[int, between(1, LIMIT_MAX), about("Most to return.")]


class RestApiLink(msgspec.Struct, frozen=True):
    """A link to something that belongs to a response."""

    rel: str
    href: str


class PageQuery(ClientFields, frozen=True, kw_only=True):
    """The page to return."""

    offset: Offset = 0
    limit: Limit = 100


class SortedQuery(PageQuery, frozen=True, kw_only=True):
    """The page of a sorted collection to return."""

    direction: Annotated[Direction, about("Direction of the list, in upper or lower case.")] = Direction.DESC


class StreamingCollection(msgspec.Struct, frozen=True, kw_only=True):
    """One page of a collection. Clients go on with the link `next`, if there is one."""

    elements: list[Any]
    links: list[RestApiLink]
    count: Annotated[int, msgspec.Meta(extra_json_schema={"format": "int32"})]
    """Number of elements on this page (assumed)."""
    offset: Annotated[int, msgspec.Meta(extra_json_schema={"format": "int32"})]
    limit: Annotated[int, msgspec.Meta(extra_json_schema={"format": "int32"})]


Page = TypeVar("Page", bound=StreamingCollection)
Element = TypeVar("Element")


def page(
    kind: type[Page],
    call: Call,
    elements: Sequence[Element],
    represent: Callable[[Element], object],
    *,
    offset: int,
    limit: int,
) -> Page:
    """Return the page of a collection that a call asks for."""
    shown: list[object] = [represent(element) for element in elements[offset : offset + limit]]
    return page_of(kind, call, shown, len(elements), offset=offset, limit=limit)


def page_of(kind: type[Page], call: Call, shown: list[object], total: int, *, offset: int, limit: int) -> Page:
    """Return the page that consists of these elements, of so many in all."""
    links = []
    if offset + limit < total:
        links.append(RestApiLink("next", _address(call, offset + limit, limit)))
    if offset:
        links.append(RestApiLink("previous", _address(call, max(0, offset - limit), limit)))
    return kind(elements=shown, links=links, count=len(shown), offset=offset, limit=limit)


def ordered(elements: Sequence[Element], key: Callable[[Element], Any], direction: Direction) -> list[Element]:
    """Return the elements sorted, those with equal keys in their own order or in reverse."""
    found = sorted(elements, key=key)
    return found[::-1] if direction is Direction.DESC else found


def _address(call: Call, offset: int, limit: int) -> str:
    """Return the address of another page, under the name by which the client calls the server."""
    others = {name: value for name, value in read_pairs(call.query).items() if name not in ("offset", "limit")}
    pairs = [(name, str(value)) for name, value in others.items() if isinstance(value, str)]
    query = "&".join(
        f"{quote(name, safe='')}={quote(value, safe='')}"
        for name, value in (*pairs, ("offset", str(offset)), ("limit", str(limit)))
    )
    return f"{call.scheme}://{header(call.headers, b'host')}{call.path}?{query}"
