"""Facts in words: what was sent is said once, numbers agree with their nouns, and long values are shortened."""

from __future__ import annotations

import msgspec
import pytest

from mockcampaign.engine.journal import Called
from mockcampaign.judging.fact import (
    AgeLimit,
    AllAttempts,
    AnyFact,
    Confirmation,
    Confirmed,
    Costs,
    EdgeCaseField,
    EventDifference,
    FieldChange,
    FieldsAltered,
    JudgedAttempts,
    KeysOn,
    Needs,
    Reply,
    Response,
    SetUpCase,
    SetUpLeft,
    SetUpMistake,
    SetUpPassed,
    Stimulus,
    StoredAnyway,
    StoreDiffers,
    StoredPositions,
    Under,
    UnderscoreInHeader,
)
from mockcampaign.judging.ledger import CallCount
from mockcampaign.judging.situation import Situation
from mockcampaign.report import sentences
from mockcampaign.report.sentences import actual, brief

OK, BUSY, MOVED = Reply(status=200), Reply(status=503), Reply(status=302, location="/login")
LATE = Reply(phase="wait", timed_out=True, reason="no response began within the time-out")
CUT = Stimulus(situation=Situation.EDGE_CASE, edge_cases=(EdgeCaseField(name="browser", value=r'"a\ud83d"'),))
BATCH = Stimulus(situation=Situation.BATCH, events=2)
FIRST = EventDifference(kind="missing", event="type=open mailId=A")


def to_batch(*replies: Reply) -> Response:
    return Response(to=BATCH, replies=replies)


@pytest.mark.parametrize(
    ("judged", "attempts", "rejected", "others", "said"),
    [
        ("with-response", 5, 0, 0, "All 5 attempts comply"),
        ("with-response", 1, 0, 0, "The only attempt complies"),
        ("with-response", 5, 0, 8_641, "All 5 attempts that got a response comply; 8,641 others got no response"),
        ("with-response", 1, 0, 1, "The only attempt that got a response complies; 1 other got no response"),
        ("with-response", 5, 5, 0, "5 attempts were rejected with an error status, none was accepted"),
        (
            "with-response",
            7,
            4,
            8_641,
            "3 attempts were accepted with 200; 4 were rejected with an error status; 8,641 others got no response",
        ),
        (
            "reached-consumer",
            6,
            0,
            8_640,
            "All 6 attempts that reached the consumer comply; 8,640 others did not reach it, "
            "or a fault or restart affected them",
        ),
        (
            "reached-consumer",
            1,
            0,
            1,
            "The only attempt that reached the consumer complies; 1 other did not reach it, "
            "or a fault or restart affected it",
        ),
    ],
)
def test_attempts_that_a_rule_does_not_judge_are_counted_apart(
    judged: str, attempts: int, rejected: int, others: int, said: str
) -> None:
    fact = AllAttempts(judged=JudgedAttempts(judged), attempts=attempts, rejected=rejected, others=others)
    assert actual((fact,)) == said


def test_a_backlog_is_told_with_what_caused_it_and_how_far_it_got() -> None:
    rest = Stimulus(situation=Situation.PART_OF_BACKLOG, events=10_000, times=60, milliseconds=3_600_000)
    whole = Stimulus(situation=Situation.BACKLOG, events=10_000, milliseconds=3_600_000)
    assert actual((Response(to=rest, replies=(Reply(status=429),)),)) == (
        "Responded 429 to a batch of the backlog of 10,000 events after an outage of 1h; it accepted 60 batches "
        "before, and the others wait"
    )
    assert actual((lost(whole),)).startswith(
        "After an outage of 1h and its backlog of 10,000 events, 1 event is missing"
    )


def test_an_age_limit_is_told_by_two_ages() -> None:
    hour = 3_600_000
    assert actual((AgeLimit(kept=12 * hour, lost=24 * hour, is_stored=True),)) == (
        "An event 12h old is stored, one 1d old is not"
    )
    assert actual((AgeLimit(kept=None, lost=hour, is_stored=False),)) == (
        "An event 1h old, the youngest that was tried, is not accepted either"
    )


def with_credentials(variant: str) -> Response:
    return Response(to=Stimulus(situation=Situation.CREDENTIALS, variant=variant), replies=(OK,))


def lost(after: Stimulus | None) -> StoreDiffers:
    return StoreDiffers(after=after, missing=1, examples=(FIRST,))


def key(fields: tuple[str, ...], ignored: tuple[str, ...]) -> KeysOn:
    return KeysOn(event_type="open", fields=fields, ignored=ignored, events_lost=1, events=40, pairs=12)


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ((to_batch(BUSY),), "Responded 503 to a batch of 2 events"),
        ((to_batch(BUSY, BUSY),), "Responded 503 to a batch of 2 events"),
        (
            (to_batch(BUSY), UnderscoreInHeader(name="X_KEY")),
            "Responded 503 to a batch of 2 events; the key was sent in the header X_KEY, whose name contains "
            "underscores, which nginx and Apache drop by default",
        ),
        ((to_batch(BUSY, OK),), "Responded 503, then 200 to a batch of 2 events"),
        (
            (Response(to=CUT, replies=(BUSY,)),),
            r'Responded 503 to an event with browser "a\ud83d" (half an emoji: a lone surrogate)',
        ),
        (
            (to_batch(LATE, OK, BUSY),),
            "Did not respond (no response began within the time-out), then responded 200, then 503 to a batch of 2 "
            "events",
        ),
        ((to_batch(LATE),), "Did not respond to a batch of 2 events: no response began within the time-out"),
        # What was sent is said once.
        (
            (to_batch(OK), lost(BATCH)),
            "Responded 200 to a batch of 2 events; 1 event is missing from the store: type=open mailId=A",
        ),
        (
            (to_batch(OK), lost(Stimulus(situation=Situation.BATCH, events=3))),
            "Responded 200 to a batch of 2 events; after a batch of 3 events, 1 event is missing from the store: "
            "type=open mailId=A",
        ),
        (
            (StoreDiffers(missing=2, duplicate=2),),
            "2 events are missing from the store and 2 duplicates are in the store",
        ),
        ((StoredPositions(events=100, stored=(*range(1, 100),)),), "Stored all but number 100 of 100 events"),
        ((StoredPositions(events=3, stored=(1,)),), "Stored only number 1 of 3 events"),
        ((StoredPositions(events=3, stored=()),), "Stored none of 3 events"),
        ((StoredPositions(events=1, stored=()),), "Stored nothing"),
        (
            (Response(to=Stimulus(situation=Situation.CONCURRENT_BATCHES, sizes=(1, 1, 1)), replies=(BUSY,)),),
            "Responded 503 to batches of 1 event from three webhooks at the same moment",
        ),
        (
            (Confirmed(what=Confirmation.RESPONDED_IN_TIME, sizes=(1, 100), milliseconds=10_000),),
            "Responded within 10s to batches of 1 and 100 events",
        ),
        (
            (to_batch(MOVED), Costs(of=BATCH, reply=MOVED, requests=3, body_bytes=2_000, events_lost=1)),
            "Responded 302 (a redirect to /login, which Campaign does not follow) to a batch of 2 events; a 302 to a "
            "batch of 2 events costs 3 requests and 2 kB, and then Campaign discards 1 event",
        ),
        (
            (to_batch(BUSY), Costs(requests=1, body_bytes=2_000)),
            "Responded 503 to a batch of 2 events; this costs 1 request and 2 kB, until it is accepted",
        ),
        (
            (key(("mailId", "created"), ("browser",)),),
            "Deduplicates opens on no more than mailId and created: 1 of 12 pairs of nearly equal events were "
            "treated as one event, and 1 of 40 realistic opens is missing from the store",
        ),
        (
            (key(("mailId", "created"), ("created.milliseconds", "device")),),
            "Deduplicates opens on no more than mailId and created (without its milliseconds): 2 of 12 pairs of nearly "
            "equal events were treated as one event, and 1 of 40 realistic opens is missing from the store",
        ),
        (
            (key(("a", "b", "c", "d", "e"), ("browser", "browser.case")),),
            "Deduplicates without browser and the case of browser: 2 of 12 pairs of nearly equal events "
            "were treated as one event, and 1 of 40 realistic opens is missing from the store",
        ),
        (
            (FieldsAltered(changes=(FieldChange(name="browser", sent='"' + "x" * 255 + '"', stored='"xx"'),)),),
            'Stored browser "xxxxxxxxxxxxxxxxxxx…" (255 characters) as "xx"',
        ),
        (
            (
                FieldsAltered(
                    changes=(
                        *(FieldChange(name=name, sent="1", stored=None) for name in ("a", "b", "c", "d", "e")),
                        FieldChange(name="f", sent="1", stored='"1"'),
                    ),
                    absent=("a", "b", "c", "d", "e"),
                    kept=("f", "g"),
                ),
            ),
            'Stored events without a, b, c, d and e; f 1 as "1"',
        ),
        (
            tuple(with_credentials(variant) for variant in ("empty-password", "another-user")),
            "Responded 200 to a batch with an empty password and a wrong user name",
        ),
        (
            tuple(with_credentials(f"variant {number}") for number in range(9)),
            "Responded 200 to a batch with variant 0, variant 1, variant 2, variant 3, variant 4 and 4 more",
        ),
        (
            tuple(Response(to=Stimulus(situation=one), replies=(OK,)) for one in (Situation.NULL, Situation.NUMBER)),
            "Responded 200 to null and a number",
        ),
        # A sentence that goes on after a colon goes on in lower case.
        (
            (Under(variation="webhooks in turn", facts=(to_batch(BUSY),)),),
            "With webhooks in turn: responded 503 to a batch of 2 events",
        ),
        (
            (SetUpPassed(cases=32, calls=6),),
            "In none of 32 cases, in which each of 6 calls failed",
        ),
        (
            (
                SetUpLeft(
                    mistake=SetUpMistake.ORPHANED,
                    case=SetUpCase(kind="api-timeout", timing="after-effect", number=2, operation="createWebhook"),
                    webhooks=1,
                    runs=3,
                    statuses=(0, 0, 0),
                ),
            ),
            "Call 2 (createWebhook) got no response, though it was carried out: 1 webhook left behind that nobody "
            "uses, after 3 runs",
        ),
        (
            (
                SetUpLeft(
                    mistake=SetUpMistake.NEVER_CONVERGES,
                    case=SetUpCase(kind="undisturbed"),
                    webhooks=0,
                    runs=3,
                    statuses=(0, 1, None),
                ),
            ),
            "Nothing failed: the last of 3 runs failed although all webhooks are as wanted (exit statuses 0, 1, "
            "stopped)",
        ),
        (
            (
                SetUpLeft(
                    mistake=SetUpMistake.FALSE_SUCCESS,
                    case=SetUpCase(
                        kind="api-unauthorized", timing="before-effect", number=1, operation="selectWebhooks"
                    ),
                    webhooks=2,
                    runs=3,
                    statuses=(0, 0, 0),
                ),
            ),
            "Call 1 (selectWebhooks) got 401: exit status 0, but 2 webhooks not activated",
        ),
    ],
)
def test_facts_in_words(facts: tuple[AnyFact, ...], sentence: str) -> None:
    assert actual(facts) == sentence


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ((to_batch(OK), lost(BATCH)), "1 event is missing from the store after a batch of 2 events"),
        ((to_batch(OK), StoredAnyway(events=1)), "Responded 200 to a batch of 2 events"),
        ((to_batch(BUSY), Costs(requests=3)), "Responded 503 to a batch of 2 events"),
        (
            (key(("mailId",), ("created",)),),
            "Deduplicates opens on no more than mailId: 1 of 40 realistic opens were lost",
        ),
        ((Needs(need="probe"),), ""),
        ((), ""),
    ],
)
def test_a_summary_says_the_one_thing_that_shows_the_violation(facts: tuple[AnyFact, ...], sentence: str) -> None:
    assert brief(facts) == sentence


CALL = Called(at=0, client_id=3, method="POST", operation="createWebhook", path="/webhooks", status=201)


def test_calls_of_the_rest_api_in_words() -> None:
    lost = msgspec.structs.replace(CALL, status=None, faults=("api-slow", "api-timeout"))
    unknown = msgspec.structs.replace(CALL, operation="", client_id=None, status=404)
    assert sentences.call(CALL) == "createWebhook"
    assert sentences.call(unknown) == "POST /webhooks"
    assert sentences.call_outcome(lost) == "no response (api-slow, api-timeout)"
    assert sentences.access_line(unknown) == "1970-01-01T00:00:00.000Z - POST /webhooks 404"
    assert (
        sentences.calls(
            [
                CallCount(operation="createWebhook", status=201, count=1_200),
                CallCount(operation="selectWebhooks", status=None, count=1),
            ]
        )
        == "1,201 calls of the REST API: createWebhook 201 (1,200), selectWebhooks without response"
    )
