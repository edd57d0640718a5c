"""How to fix a consumer: advice that follows from what was found, where that says more than the rule alone.

Advice names the platform where the platform's default is a likely cause; each such default has its source beside it.
"""

from __future__ import annotations

import html
import re
import shlex
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec

from mockcampaign.judging.diagnosis import FieldsNotStored
from mockcampaign.judging.fact import (
    AnyFact,
    AttemptsEnded,
    ByCounter,
    Costs,
    CountsTwice,
    Died,
    EdgeCaseField,
    EventDifference,
    FieldChange,
    FieldsAltered,
    InFront,
    KeysOn,
    ReplacedFields,
    Reply,
    Response,
    ResponseBody,
    SometimesRecognised,
    Stimulus,
    StoredAnyway,
    StoreDiffers,
    SurplusBytes,
    UnderscoreInHeader,
)
from mockcampaign.judging.finding import Finding
from mockcampaign.judging.journal_rules import JOURNAL_RULES
from mockcampaign.judging.situation import Situation
from mockcampaign.judging.verdict import worst_first
from mockcampaign.text import few


def explaining(findings: Iterable[Finding]) -> str | None:
    """Return the command that explains the rule of the first finding that is a problem, for the end of a report.

    None if no rule of the check is one.
    """
    for finding in worst_first(findings):
        if finding.outcome in ("fail", "warn") and (finding.family is not None or finding.id in _OF_JOURNALS):
            return f"mockcampaign rules {finding.id}"
    return None


SAFE_INTEGER_MAX = 2**53 - 1
"""The greatest whole number that a double holds exactly, and so JavaScript's `JSON.parse` (ECMA-262, 21.1.2.6)."""

# MySQL Reference Manual, "The utf8mb3 Character Set": only characters of the Basic Multilingual Plane.
BASIC_MULTILINGUAL_PLANE_MAX = 0xFFFF
"""The last character that UTF-8 encodes in three bytes."""

# ECMA-262, 20.1.3 "Properties of the Object Prototype Object".
INHERITED = ("constructor", "__proto__", "toString", "hasOwnProperty")
"""Names that every object of JavaScript inherits, so that one used as a dictionary seems to contain them."""


_OF_JOURNALS = frozenset(rule.id for rule in JOURNAL_RULES)

KEEP_SHOWN_MAX = 3
"""How many options for fields advice lists."""


class Advice(msgspec.Struct, frozen=True):
    """A piece of advice."""

    text: str
    alone: bool = True
    """Whether it replaces the rule's own advice; otherwise it follows that."""


NEVER_SENT = frozenset(
    {
        Situation.CREDENTIALS,
        Situation.METHOD,
        Situation.OVERSIZED_BODY,
        Situation.DEEPLY_NESTED_BODY,
        Situation.EVENT_AND_NUMBER,
        Situation.EVENT_AND_LIST,
        Situation.EVENT_AND_TEXT,
        Situation.EVENT_AND_NULL,
        Situation.NUMBER_AMONG_GOOD,
        Situation.EMPTY_EVENT_AMONG_GOOD,
        Situation.EDGE_CASE_AMONG_GOOD,
        Situation.CUT_EVENT_AMONG_GOOD,
        Situation.CREATED_AS_TEXT,
        Situation.MAIL_ID_ALONE,
        Situation.UNSTORABLE_EVENT,
        Situation.NOT_JSON,
        Situation.UNREADABLE_TEXT,
        Situation.UNREADABLE_CUT_IN_EVENT,
        Situation.UNREADABLE_NO_BRACKET,
        Situation.UNREADABLE_EMPTY,
        Situation.UNREADABLE_CUT_EVENT,
        Situation.NUMBER,
        Situation.NULL,
        Situation.LIST_OF_LISTS,
        Situation.CUT_BODY,
    }
)
"""Requests that Campaign never sends: how the consumer responds to them says nothing about other batches."""

LOCKED_OUT = frozenset({401, 403, 423, 429})
"""Statuses that say that valid credentials were rejected, and not something that arrived with them."""

TELLING = frozenset(
    {
        Situation.REQUEST_ON_ONE_CONNECTION,
        Situation.SEVERAL_ON_ONE_CONNECTION,
        Situation.NEW_CONNECTION,
        Situation.CHUNKED_BODY,
        Situation.EXPECT_CONTINUE,
        Situation.SPLIT_HEADERS,
        Situation.UPPER_CASE_HEADERS,
        Situation.SLOW_BODY,
        Situation.CONTENT_TYPE,
        Situation.QUICK_BESIDE_STALLED,
        Situation.STALLED_BESIDE_QUICK,
        Situation.QUICK_AFTER_STALLED,
        Situation.ORDINARY_AFTERWARDS,
        Situation.ORDINARY_AFTER_CUT_BODIES,
        Situation.TIMED_OUT_TWICE,
        Situation.REQUEST_IN_A_ROW,
        Situation.ANOTHER_FULL_BATCH,
    }
)
"""Situations that say more about the cause than a time-out or a missing response, but not more than a 429."""


def advice(rule_id: str, usual: str, facts: Sequence[AnyFact]) -> str:
    """Return how to fix a consumer that violates the rule in this way; `usual` is the rule's own advice."""
    said = {fact.status: fact.text for fact in facts if isinstance(fact, ResponseBody)}
    found = [one for fact in facts for one in _of(fact, said)]
    for exact, vague in ((UNDERSCORES, CREDENTIALS), (FLOATS_BESIDE_EMPTY, BATCH_OF_UNLIKE_EVENTS)):
        if exact in found:
            found = [one for one in found if one is not vague]
    found += _of_acknowledged_loss(facts)
    if PATH in found and any(isinstance(fact, StoredAnyway) for fact in facts):
        found = [STORED_WITHOUT_200]  # it has a route, since the events are there
    alone = [one.text for one in found if one.alone]
    more = [one.text for one in found if not one.alone]
    if not alone and more and rule_id in _GENERAL:
        # The rule's own advice is about the choice of a status, or about speed, and this consumer failed.
        return " ".join(dict.fromkeys(more))
    return " ".join(dict.fromkeys([*(alone or [usual]), *more]))


def _of(fact: AnyFact, said: Mapping[int, str]) -> Iterator[Advice]:
    """Yield advice that follows from a fact. `said` has the text of error responses by status."""
    match fact:
        case Died():
            yield CATCH
        case UnderscoreInHeader():
            yield UNDERSCORES
        case ReplacedFields(fields=fields):
            yield _keep(fields)
        case InFront():
            yield from _of_software(fact)
        case SurplusBytes():
            yield EXACT_LENGTH
        case Response(to=Stimulus(situation=Situation.VALID_AFTER_INVALID), replies=replies):
            if replies[0].status not in LOCKED_OUT:
                yield UNREAD_BODY
        case Response(to=Stimulus(situation=situation)) if situation in NEVER_SENT:
            return
        case Response(to=Stimulus(situation=situation), replies=replies) if situation in TELLING:
            if replies[-1].status == 429:
                yield BY_STATUS[429]
        case StoreDiffers(after=Stimulus(situation=Situation.BACKLOG)):
            yield LIMITED_SIZE
        case Response(to=Stimulus(situation=Situation.PART_OF_BACKLOG), replies=(*_, Reply(status=503))):
            yield LIMITED_RATE
        case Response(to=Stimulus(situation=situation), replies=replies):
            last = _decisive(replies)
            if situation in _AROUND and replies[0].status != 200:
                yield NEVER_GIVE_UP
            elif situation is Situation.WITH_CREDENTIALS:
                yield CREDENTIALS
            elif situation in _REDELIVERED and last.status != 429:
                yield ACCEPT_REDELIVERED
                yield from _of_reply(last, said)
            elif replies[0].timed_out and last.accepted:
                yield WARM_UP
            elif last.timed_out and fact.to.edge_cases:
                yield HANGS
            else:
                if not last.accepted:
                    yield from _of_names(fact.to)
                if not last.accepted and any("\\u0000" in one.value for one in fact.to.edge_cases):
                    yield NUL_IN_TEXT
                if situation is Situation.EDGE_CASES and last.status != 429:
                    yield BATCH_OF_UNLIKE_EVENTS
                if last.status in (403, 406) and any(_looks_hostile(one.value) for one in fact.to.edge_cases):
                    yield FIREWALL
                if situation is Situation.BATCH and last.status is not None:
                    yield from _of_rejection(last.status, said.get(last.status, ""))
                yield from _of_reply(last, said)
        case AttemptsEnded(reply=reply) | Costs(reply=Reply() as reply):
            yield from _of_reply(reply, said)
        case StoreDiffers(after=Stimulus(situation=Situation.LONG_RECIPIENT_ENGAGEMENTS)):
            yield WHOLE_KEY
        case StoreDiffers(after=Stimulus(situation=Situation.REDELIVERED_IDENTICAL)):
            yield IDENTICAL_ONCE
        case StoreDiffers(after=Stimulus(situation=Situation.RANDOM_HISTORY), duplicate=duplicate) if duplicate:
            yield KEEP_AFTER_MATCH
        case SometimesRecognised():
            yield SHARED_KEYS
        case ByCounter():
            yield COUNT_NEW_EVENTS
        case CountsTwice(always=always):
            yield NULL_IS_NO_MATCH if always else EVENT_ALONE
        case KeysOn(fields=fields, ignored=ignored):
            parts = (name.partition(".") for name in ignored)
            if any(part and field in fields for field, _, part in parts):
                yield HASH_AS_SENT
        case StoreDiffers(
            after=Stimulus(edge_cases=(EdgeCaseField(absent=True, name=lacking), EdgeCaseField(name=present))),
            altered=altered,
        ) if altered and lacking == present:
            yield FLOATS_BESIDE_EMPTY
        case StoreDiffers(after=after, missing=missing, examples=examples):
            if missing and after is not None:
                yield from _of_key(after.situation)
                yield from _of_names(after)
            yield from _of_changes(_changes(examples))
        case FieldsAltered(changes=changes):
            yield from _of_changes(changes)
            if fact.kept:
                yield _only_kept(fact.kept, fact.unknown)
        case _:
            return


# By response


def _of_acknowledged_loss(facts: Sequence[AnyFact]) -> Iterator[Advice]:
    """Yield advice for an edge case that the consumer acknowledged and lost."""
    acknowledged = {
        fact.to
        for fact in facts
        if isinstance(fact, Response)
        and fact.to.situation is Situation.EDGE_CASE
        and all(reply.accepted for reply in fact.replies)
    }
    if any(isinstance(fact, StoreDiffers) and fact.missing and fact.after in acknowledged for fact in facts):
        yield SWALLOWED


def _of_rejection(status: int, text: str) -> Iterator[Advice]:
    """Yield advice for an ordinary batch that was rejected with a status, by what the response says."""
    if status == 400 and _is_json(text):
        yield SCHEMA
    else:
        yield from _TO_ORDINARY_BATCH.get(status, ())


def _of_names(sent: Stimulus) -> Iterator[Advice]:
    """Yield advice for an event that is special only for a name that every object of JavaScript inherits."""
    values = {one.value for one in sent.edge_cases}
    if values and values <= {f'"{name}"' for name in INHERITED}:
        yield NO_PLAIN_OBJECT


def _decisive(replies: Sequence[Reply]) -> Reply:
    """Return the reply to explain: the last one, or the error of the server after which it closed the connection."""
    last = replies[-1]
    if last.status is None and not last.timed_out:
        return next((reply for reply in reversed(replies) if (reply.status or 0) >= 500), last)
    return last


def _of_reply(reply: Reply, said: Mapping[int, str]) -> Iterator[Advice]:
    text = "" if reply.status is None else said.get(reply.status, "")
    if reply.status is None:
        yield (FASTER if reply.phase == "wait" else ENDLESS_RESPONSE) if reply.timed_out else WHOLE_RESPONSE
    elif 300 <= reply.status < 400:
        yield REDIRECT
    elif reply.status in (411, 426, 505):
        yield GATEWAY
    elif reply.status in (403, 422) and (_CSRF.search(text) or _is_json(text)):
        yield CSRF if _CSRF.search(text) else SCHEMA if reply.status == 422 else BY_STATUS[403]
    elif reply.status in BY_STATUS:
        yield BY_STATUS[reply.status]
    elif reply.status >= 500:
        yield LOOK_INTO_LOG


def _of_software(fact: InFront) -> Iterator[Advice]:
    """Yield advice for a response from what stands before the consumer, which the consumer's code cannot change."""
    if fact.https_port:
        yield HTTPS_PORT
    elif fact.status in _BY_SOFTWARE:
        yield _BY_SOFTWARE[fact.status]
    yield Advice(
        f"Look into the configuration and the log of {fact.software}, which gave this response: the consumer may never "
        "have seen the request.",
        alone=False,
    )


def _is_json(text: str) -> bool:
    """Return whether the text of a response begins like JSON, as the messages of schemas do."""
    return text[:1] in ("{", "[")


def _looks_hostile(value: str) -> bool:
    """Return whether a firewall may treat text as an attack: SQL, markup or a template."""
    return any(part in value.upper() for part in ("DROP TABLE", "<", "${", "--"))


CATCH = Advice(
    "Catch every exception while a request is handled and respond 400 or 500: an uncaught one ends the process. Limit "
    "how deep a body may be nested before you walk into it."
)
WHOLE_RESPONSE = Advice(
    "Send a complete HTTP/1.1 response to every batch: a body exactly as long as Content-Length says in bytes, the "
    "connection closed only after it, and no exception that reaches the server."
)
# n8n's Webhook node has `Respond: Immediately` (n8n documentation, Webhook node).
FASTER = Advice(
    "Store a batch in one statement and one transaction, respond, and do slow work afterwards (in n8n, let the Webhook "
    "node respond immediately)."
)
HANGS = Advice(
    "Pass every error on to whatever writes the response: such an event makes the consumer wait for ever, as where an "
    "exception ends nowhere (in Express 4, a rejected promise without next(error)).",
    alone=False,
)
ENDLESS_RESPONSE = Advice("End the response: by its Content-Length, or by closing the connection.")
REDIRECT = Advice(
    "Register the final URL, with its host (with or without www), with https and with or without its trailing slash as "
    "the application routes it: Campaign does not follow redirects, nor one to a login page. Frameworks redirect by "
    "themselves: Django with APPEND_SLASH, FastAPI and Starlette with redirect_slashes."
)
LOOK_INTO_LOG = Advice("Find the exception behind the 5xx in the consumer's own log, and fix that first.", alone=False)
# Lambda proxy integrations hand over binary bodies as base64, with isBase64Encoded (Amazon API Gateway documentation).
BASE64_BODY = Advice(
    "Behind Amazon API Gateway, a function gets the body in base64 where isBase64Encoded is true: decode it first.",
    alone=False,
)
FIREWALL = Advice(
    "A firewall before the consumer may treat the text as an attack, such as SQL or markup: exempt the webhook's path "
    "from rules about what bodies contain.",
    alone=False,
)
GATEWAY = Advice(
    "Let what stands before the consumer accept HTTP/1.1 without conditions: it demands another version of HTTP, or a "
    "Content-Length for every body.",
    alone=False,
)
HTTPS_PORT = Advice("Register the URL with https: the port expects TLS.")
# client_max_body_size 1m (ngx_http_core_module); LimitRequestBody 1 GiB (Apache 2.4.54 and later); a load balancer that
# calls a Lambda function allows 1 MB (Elastic Load Balancing documentation, "Lambda functions as targets").
_BY_SOFTWARE = {
    403: FIREWALL,
    406: FIREWALL,
    411: GATEWAY,
    413: Advice(
        "Raise the limit on body size there to at least 1 MB: nginx allows 1 MB (client_max_body_size), Apache what "
        "LimitRequestBody says, ModSecurity 128 kB without files (SecRequestBodyNoFilesLimit)."
    ),
    426: GATEWAY,
    505: GATEWAY,
}
WARM_UP = Advice(
    "The consumer was too slow only once: open connections, fill caches and load code when it starts, not while it "
    "handles the first batch.",
    alone=False,
)
SWALLOWED = Advice(
    "The consumer responded 200 and lost the event, so it skipped the event or swallowed an error: look into its log, "
    "and respond 200 only after the event is stored.",
    alone=False,
)
NO_PLAIN_OBJECT = Advice(
    "In JavaScript, use a Map or Object.create(null) where values of events become keys: a plain object seems to "
    "contain every name that it inherits, such as constructor.",
    alone=False,
)
# pandas documentation, "Working with missing data": integers are cast to float64 where a value is missing.
FLOATS_BESIDE_EMPTY = Advice(
    "A table turns a column of whole numbers into one of floats if one of its cells is empty: read events one by one, "
    "or give columns of ids a type that knows empty cells (in pandas, dtype=object or Int64)."
)
# PostgreSQL documentation, 8.3 "Character Types": "The character with the code zero cannot be stored."
NUL_IN_TEXT = Advice("PostgreSQL cannot store NUL in text: remove it before you store an event.", alone=False)
BATCH_OF_UNLIKE_EVENTS = Advice(
    "Look for code that expects all events of a batch to have the same fields, such as an INSERT with the columns of "
    "the first one.",
    alone=False,
)
# Django's CsrfViewMiddleware responds 403 ("CSRF verification failed"); Rails' protect_from_forgery raises
# InvalidAuthenticityToken, whose page for 422 says "The change you wanted was rejected".
CSRF = Advice(
    "Exempt the webhook's path from CSRF protection, which rejects requests before your code does (Django: "
    "@csrf_exempt, Rails: skip_forgery_protection).",
    alone=False,
)
SCHEMA = Advice(
    "Relax the schema by which the consumer validates events: it is stricter than these, and its response says where.",
    alone=False,
)
UNREADABLE = Advice(
    "A 400 to an ordinary batch means that the consumer could not read the body, or that its schema is stricter than "
    "these events: compare the request (--explain) with what it expects.",
    alone=False,
)
STORED_WITHOUT_200 = Advice(
    "Set the status 200 where the batch is stored, and let the framework wait for the handler: return or await each "
    "promise on the way to it (`await next()` in Koa), or the framework sends its own default first."
)
PATH = Advice(
    "Compare the URL with the consumer's routes, its trailing slash included: there is no route at this path, or none "
    "for POST.",
    alone=False,
)
MEDIA_TYPE = Advice(
    "Accept Content-Type: application/json, as Campaign sends it, and parse the body as JSON.", alone=False
)

BY_STATUS = {
    201: Advice("Respond 200 instead of 201: frameworks respond 201 to a POST that creates something, so set it."),
    # "Request" trigger without a Response action: 202 (Microsoft Learn, "Receive and respond to inbound HTTPS calls").
    202: Advice(
        "Respond 200 instead of 202, once the batch is stored. Power Automate and Logic Apps respond 202 unless the "
        "flow has a Response action: add one with status 200."
    ),
    # "HTTP 204 No Content in Functions 2.x and higher" (Microsoft Learn, "Azure Functions HTTP trigger", output).
    204: Advice(
        "Respond 200 instead of 204. Azure Functions (runtime 2 and later) respond 204 when the function returns "
        "nothing: return a response with status 200."
    ),
    207: Advice(
        "Respond 200 once every event of the batch is stored or set aside: Campaign looks at the status alone, and "
        "retries the whole batch after a 207."
    ),
    403: Advice(
        "Look for what rejects requests before your code does: CSRF protection (Django: @csrf_exempt), a web "
        "application firewall, or a list of allowed addresses.",
        alone=False,
    ),
    422: Advice(
        "Compare the events with the schema by which the consumer validates them: it is stricter than they are. Only "
        "if the response is a page, look for CSRF protection (Rails: skip_forgery_protection).",
        alone=False,
    ),
    # express.json: limit "100kb" (Express 4.x API); client_max_body_size 1m (ngx_http_core_module); post_max_size 8M
    # (PHP manual, php.ini).
    413: Advice(
        "Raise the limit on body size to at least 1 MB everywhere on the way: express.json() allows 100 kB, nginx 1 MB "
        "(client_max_body_size), PHP 8 MB (post_max_size) by default. Accept 100 events, however small they are."
    ),
    429: Advice("Do not limit the rate of a sender that has one connection and waits for each response."),
    # proxy_read_timeout 60s (ngx_http_proxy_module); integration time-out 29 s (Amazon API Gateway quotas).
    502: Advice("Look into the log of the proxy: the application behind it gave no valid response.", alone=False),
    503: Advice(
        "A 503 usually means that the application was down or overloaded, or that the proxy could not reach it: "
        "look into the logs of both to see which of them sent it.",
        alone=False,
    ),
    504: Advice(
        "Respond sooner: the proxy or gateway in front of the application gave up waiting (nginx after 60 s, API "
        "Gateway after 29 s). Store the batch, respond, and do slow work afterwards."
    ),
}

LIMITED_RATE = Advice(
    "A 503 to one batch after many others means a limit on their rate or number, or a server that was overloaded. Do "
    "not limit the rate of a sender that has one connection and waits for each response."
)

_TO_ORDINARY_BATCH: Mapping[int, tuple[Advice, ...]] = {
    400: (UNREADABLE, BASE64_BODY),
    404: (PATH,),
    405: (PATH,),
    410: (PATH,),
    415: (MEDIA_TYPE,),
}
"""Advice for an ordinary batch that is rejected, by status: to unusual ones, the rule's own advice says more."""

_CSRF = re.compile(r"csrf|forgery|authenticity.?token|change you wanted was rejected", re.IGNORECASE)

_GENERAL = ("responds-200", "responds-in-time")
"""Rules whose own advice says less than any other."""

_AROUND = (Situation.GOOD_AROUND_EDGE_CASE, Situation.GOOD_AROUND_EDGE_CASES)

NEVER_GIVE_UP = Advice(
    "Mark no event as seen before it is stored. Where an event fails again and again, set that event aside, and not "
    "the batch it is part of."
)
# underscores_in_headers off (ngx_http_core_module); Apache HTTP Server 2.4, "Environment Variables": headers with
# characters other than letters, digits and hyphens are dropped.
UNDERSCORES = Advice(
    "Name the key's header with hyphens, such as X-Hook-Key: by default, nginx and Apache drop headers whose names "
    "contain underscores, so the consumer never sees the key (nginx keeps them with underscores_in_headers on)."
)
CREDENTIALS = Advice(
    "Give the check the credentials that the consumer demands (--basic-auth or CHECK_BASIC_AUTH, --key-auth or "
    "CHECK_KEY_AUTH). If they are the same, look at how the consumer reads them: split Basic credentials at the "
    "first colon and decode them as UTF-8 (RFC 7617)."
)


def of_fields_not_stored(found: FieldsNotStored | None, how: Callable[[Sequence[str]], str]) -> str:
    """Return what to add to a difference if no stored event has some field: how to compare only the others.

    `how` says so in terms of whoever compares; it gets the names of the fields that the consumer keeps.
    """
    if found is None:
        return ""
    hint = f"; no stored event has {', '.join(found.absent)}: if the consumer keeps only some fields, {how(found.kept)}"
    return f"{hint}. {_of_unknown(found.unknown)}" if found.unknown else hint


_RULES_OF_PATTERNS: Mapping[tuple[str, str], str] = {
    ("missing", "shares-key"): "deduplicates-on-all-fields",
    ("missing", "whole-batches"): "stores-before-acknowledging",
    ("duplicate", "redelivered"): "once-after-lost-response",
}
"""Ids of the rules that a consumer most likely violates, by what missing or duplicate events have in common."""


def of_stored(found: StoreDiffers) -> str | None:
    """Return where the rule behind a difference is explained, or None if nothing suggests one."""
    known = (_RULES_OF_PATTERNS.get((one.of, one.what)) for one in found.patterns)
    general = "stores-every-event" if found.missing else "stores-fields-unchanged" if found.altered else None
    rule = next(filter(None, known), general)
    return None if rule is None else of_rule(rule)


def of_rule(rule_id: str) -> str:
    """Return where the rule behind a violation is explained."""
    return f"The rule behind it, and how to fix it: mockcampaign rules {rule_id}"


def _only_kept(fields: Sequence[str], unknown: Sequence[str]) -> Advice:
    renamed = f" {_of_unknown(unknown)}." if unknown else ""
    return Advice(
        f"Store all fields, their values and their types.{renamed} If you leave fields out on purpose, name the ones "
        f"you store: {probe_fields_option(fields)}."
    )


def _of_unknown(names: Sequence[str]) -> str:
    """Return what to do if these names in stored events are the consumer's own for fields of events."""
    return (
        f"Stored events also have {few(names)}, which no event has: if the consumer calls a field so, report it by the "
        "field's own name (in SQL: SELECT kind AS type)"
    )


def probe_fields_option(fields: Sequence[str]) -> str:
    """Return the option that names the fields that a probe reports."""
    return f"--probe-fields {shlex.quote(','.join(fields))}"


def fields_kept(findings: Iterable[Finding]) -> tuple[str, ...]:
    """Return the fields that every stored event has, if a finding shows that none has some others."""
    facts = (fact for finding in findings for fact in finding.facts)
    return next((fact.kept for fact in facts if isinstance(fact, FieldsAltered) and fact.kept), ())


def _keep(fields: Sequence[str]) -> Advice:
    options = " ".join(f"--keep {shlex.quote(name)}" for name in fields[:KEEP_SHOWN_MAX])
    return Advice(
        f"The check sends pseudonyms in place of the captured values of {few(fields)}. If the consumer accepts only "
        f"values that it knows, send those as they were captured: {options}.",
        alone=False,
    )


# By deduplication

_REDELIVERED = (
    Situation.REDELIVERED,
    Situation.REDELIVERED_WITH_NEWER,
    Situation.REDELIVERED_AFTER_TIMEOUT,
    Situation.REDELIVERED_AFTER_TRUNCATION,
    Situation.REGROUPED,
    Situation.REDELIVERED_AFTER_OTHERS,
    Situation.REDELIVERED_LATER,
    Situation.REDELIVERED_AT_END,
)
"""Batches with events that the consumer may have stored before."""

ACCEPT_REDELIVERED = Advice(
    "Respond 200 to a batch whose events you already have, all or some of them, and store the others. Campaign retries "
    "a rejected batch every 10 s for three days, and all later events wait behind it."
)
WHOLE_KEY = Advice("Never truncate a deduplication key to the width of its column: store a hash of a longer one.")
IDENTICAL_ONCE = Advice(
    "Store identical events of a batch as often as the batch contains them, or once, however often it is redelivered."
)
UNREAD_BODY = Advice(
    "Read the body of a request before you reject it, or close the connection afterwards: otherwise what is left of it "
    "is read as the next request."
)
EXACT_LENGTH = Advice(
    "Let Content-Length be the length of the body in bytes, not in characters, and send nothing after the body."
)
LIMITED_SIZE = Advice(
    "Respond 200 only after an event is stored. So many events exceed something that drops them: a queue, cache or "
    "table of fixed size, or a deduplication hash of too few bits."
)
_ALL_FIELDS = "Deduplicate on all fields, or on a hash of them in one column."
MAIL_IS_NO_EVENT = Advice(
    f"{_ALL_FIELDS} The ids of a mail, a recipient and a mailing identify no event: a recipient opens or clicks it "
    "several times."
)
RECIPIENT_IS_NO_EVENT = Advice(
    f"{_ALL_FIELDS} The id of a recipient identifies no event: use it neither as a deduplication key nor as the key of "
    "a dictionary into which you put a batch."
)
CREATED_IS_NO_EVENT = Advice(
    f"{_ALL_FIELDS} A time identifies no event, because several recipients act in the same millisecond. A cursor on "
    "times skips late events of that millisecond."
)
MAIL_AND_CREATED_ARE_NO_EVENT = Advice(
    f"{_ALL_FIELDS} A mail and a time identify no event: these events differ in device and address alone."
)
TYPE_IS_COMPARED = Advice(f"{_ALL_FIELDS} An open and a click may share all fields that both have, except type.")
LINK_IS_COMPARED = Advice(f"{_ALL_FIELDS} Clicks on two links may share all fields that do not say which link it is.")
KEEP_AFTER_MATCH = Advice(
    "An event may be redelivered several times: keep its deduplication key for three days, also after a redelivery "
    "has matched it.",
    alone=False,
)
COUNT_NEW_EVENTS = Advice(
    "Raise the counter only for events that were not stored before, in the transaction that stores them; or compute it "
    "from the stored events when it is read."
)
SHARED_KEYS = Advice(
    "Keep deduplication keys where all workers and processes see them: in the database, with a unique key, and not in "
    "a variable, a cache or a file of each worker."
)
HASH_AS_SENT = Advice(
    "Hash the values as they were sent: with their case, their spaces, all digits and the milliseconds.", alone=False
)
# SQLite ("CREATE INDEX", unique indexes), PostgreSQL and MySQL alike; PostgreSQL has NULLS NOT DISTINCT against it.
NULL_IS_NO_MATCH = Advice(
    "A unique index over several columns finds no duplicate where one of them is NULL, such as the link of an open: "
    "NULL is not equal to NULL. Use one column that is never NULL, with the hash of the whole event.",
    alone=False,
)
EVENT_ALONE = Advice(
    "Build the deduplication key from the fields of the event alone, without the batch, the request or the event's "
    "position in it.",
    alone=False,
)


def _of_key(situation: Situation) -> Iterator[Advice]:
    """Yield advice for events that were lost because the deduplication key does not distinguish them from others."""
    match situation:
        case Situation.REPEAT_ENGAGEMENT:
            yield MAIL_IS_NO_EVENT
        case Situation.ONE_RECIPIENT_MANY_MAILS:
            yield RECIPIENT_IS_NO_EVENT
        case Situation.SAME_MILLISECOND:
            yield CREATED_IS_NO_EVENT
        case Situation.ONE_MAIL_SAME_MILLISECOND:
            yield MAIL_AND_CREATED_ARE_NO_EVENT
        case Situation.OPEN_AND_CLICK:
            yield TYPE_IS_COMPARED
        case Situation.CLICKS_ON_TWO_LINKS:
            yield LINK_IS_COMPARED
        case _:
            return


# By what became of a field


def _changes(examples: Sequence[EventDifference]) -> list[FieldChange]:
    return [change for one in examples for change in one.changes]


def _of_changes(changes: Sequence[FieldChange]) -> Iterator[Advice]:
    as_text: list[str] = []
    for change in changes:
        if change.sent is None or change.stored is None:
            continue
        sent, stored = _value(change.sent), _value(change.stored)
        match sent, stored:
            case dict(), dict():
                yield from _of_changes(_inner_changes(change.name, sent, stored))
            case str(), str() if sent != stored:
                yield from _of_text(change.name, sent, stored)
            case int(), int() | float() if abs(sent) > SAFE_INTEGER_MAX:
                yield Advice(
                    f"{change.name} lost digits beyond 2^53, as with doubles. JSON.parse in JavaScript and "
                    "map[string]any in Go round such numbers: parse with json-bigint or json.Number, or store the raw "
                    "text. Use 64-bit columns."
                )
            case int(), str() if stored == str(sent):
                as_text.append(change.name)
            case str(), int() | float():
                yield _as_text(change.name)
    if as_text:
        yield Advice(f"The probe reports numbers as text: {', '.join(dict.fromkeys(as_text))}.", alone=False)


def _inner_changes(outer: str, sent: dict[str, object], stored: dict[str, object]) -> list[FieldChange]:
    """Return the changes of the fields of an object."""
    return [
        FieldChange(
            name=f"{outer}.{name}",
            sent=msgspec.json.encode(value).decode(),
            stored=msgspec.json.encode(stored[name]).decode() if name in stored else None,
        )
        for name, value in sent.items()
        if name not in stored or stored[name] != value
    ]


def _of_text(name: str, sent: str, stored: str) -> Iterator[Advice]:
    """Yield what turns the sent text into the stored one."""
    if _MOMENT.match(sent) and _MOMENT.match(stored):
        yield from _of_moment(name, sent, stored)
    elif stored == sent.strip():
        yield Advice(f"Do not trim {name}: white space at its ends belongs to the value.")
    elif sent.startswith(stored):
        yield _cut_off(name, len(stored), sent[len(stored)])
    elif html.unescape(stored) == sent:
        yield Advice(f"{name} is stored escaped for HTML: store it as it is, and escape it where you display it.")
    elif _as_latin_1(sent).startswith(stored):
        yield Advice(f"{name} was decoded as Latin-1: decode bodies as UTF-8, whatever the Content-Type says.")
    elif any(unicodedata.normalize(form, sent) == stored for form in ("NFC", "NFD", "NFKC", "NFKD")):
        yield Advice(f"Do not normalise {name}: store its characters as they are sent.")
    elif sent.casefold() == stored.casefold():
        yield Advice(f"Do not change the case of {name}.")
    elif sent.isdigit() and sent.lstrip("0") == stored:
        yield _as_text(name)


def _of_moment(name: str, sent: str, stored: str) -> Iterator[Advice]:
    """Yield what a time has lost that was sent as text."""
    lost = [
        what
        for what, part in (("fraction of a second", _FRACTION), ("zone", _ZONE))
        if part.search(sent) and not part.search(stored)
    ]
    if lost:
        yield Advice(
            f"{name} lost its {' and its '.join(lost)}: store it in a type that has both, or as the text that was sent."
        )


_MOMENT = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d|\Z)")
_FRACTION = re.compile(r":\d\d[.,]\d")
_ZONE = re.compile(r":\d\d(?:[.,]\d+)? ?(?:[Zz]|UTC|[+-]\d\d(?::?\d\d)?)\Z")


def _cut_off(name: str, length: int, following: str) -> Advice:
    """Say why text may end before a character."""
    if following == "\0":
        return Advice(f"{name} is cut off at a NUL character, where text in C ends: remove NUL before you store it.")
    if ord(following) > BASIC_MULTILINGUAL_PLANE_MAX:
        return Advice(
            f"{name} is cut off before {following}, a character of four bytes in UTF-8. MySQL's utf8 stores three: "
            "use utf8mb4 for the connection and the column."
        )
    return Advice(
        f"{name} is cut off after {length} characters: widen its column or variable (255 characters for names, 2,000 "
        "for links), and let the database reject what does not fit."
    )


def _as_latin_1(text: str) -> str:
    return text.encode("utf-8", "surrogatepass").decode("latin-1")


def _as_text(name: str) -> Advice:
    return Advice(f"Store {name} as text: as a number it loses leading zeros, signs and letters.")


def _value(text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None
