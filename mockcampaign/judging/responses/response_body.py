"""The text of a consumer's error response, which often says what is wrong with a request."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

from mockcampaign.engine.journal import Attempted, Entry, Requested
from mockcampaign.judging.fact import ResponseBody
from mockcampaign.model import Responded
from mockcampaign.text import printable, short

CHARACTERS_MAX = 300
"""Greatest length of the text that a finding quotes, in characters: enough for a message and the name of a field."""

_INVISIBLE = re.compile(r"<(script|style|head|title)\b.*?</\1\s*>|<!--.*?-->", re.DOTALL | re.IGNORECASE)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title", re.DOTALL | re.IGNORECASE)
_STOCK = "|".join(
    (
        *("internal server error", "bad gateway", "service (temporarily )?unavailable", "gateway time-?out"),
        *("bad request", "unauthorized", "forbidden", "not found", "method not allowed", "too many requests"),
        *("unprocessable (entity|content)", "request entity too large", "server got itself in trouble"),
        r"the server encountered an internal error[^.]*\.[^.]*\.",
        *("error", r"nginx(/[\d.]+)?"),
    )
)
"""Texts of default pages: reason phrases, and those of Python's server, Werkzeug and nginx."""
_TAG = re.compile(r"<[^>]*>")


def response_body(entries: Sequence[Entry], statuses: Iterable[int | None]) -> ResponseBody | None:
    """Return what the newest response with one of the statuses says, if it is an error with a text; or None."""
    wanted = {status for status in statuses if status is not None and status >= 400}
    outcomes = (entry.outcome for entry in reversed(entries) if isinstance(entry, Attempted | Requested))
    newest = next((one for one in outcomes if isinstance(one, Responded) and one.status in wanted), None)
    text = "" if newest is None else _text(newest)
    return None if newest is None or _is_stock(text, newest.status) else ResponseBody(status=newest.status, text=text)


def _is_stock(text: str, status: int) -> bool:
    """Return whether a text says no more than the status, as default pages of frameworks and proxies do."""
    return not re.sub(rf"{_STOCK}|\W|{status}", "", text, flags=re.IGNORECASE)


def _text(response: Responded) -> str:
    """Return the body as one line. Of a page, that is its title and what a reader sees."""
    text = response.body.decode("utf-8", "replace")
    content_type = dict(response.headers).get("content-type", "")
    if "html" in content_type or text.lstrip()[:1] == "<":
        found = _TITLE.search(text)
        title = _one_line(found[1]) if found else ""
        seen = _one_line(_TAG.sub(" ", _INVISIBLE.sub(" ", text)))
        # Default pages repeat the status in the title and in a heading.
        for heading in (title, re.sub(r"^\d{3}\W*|\W*\d{3}\W*$", "", title), f"({response.status})"):
            seen = seen.removeprefix(heading).lstrip(" .:") if heading else seen
        said_by_status = not seen or not _is_stock(title, response.status)
        text = ": ".join(filter(None, (title if said_by_status else "", seen)))
    return short(printable(" ".join(text.split())), CHARACTERS_MAX)


def _one_line(markup: str) -> str:
    return " ".join(html.unescape(markup).split())
