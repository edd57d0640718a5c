"""How to fix a consumer follows from what was found, and is the rule's own advice where that says no more."""

from __future__ import annotations

import msgspec
import pytest

from mockcampaign.check.rules import CATALOGUE
from mockcampaign.judging.fact import (
    AnyFact,
    Confirmation,
    Confirmed,
    CountsTwice,
    Died,
    EdgeCaseField,
    EventDifference,
    FieldChange,
    FieldsAltered,
    KeysOn,
    Pattern,
    Reply,
    Response,
    Stimulus,
    StoredAnyway,
    StoreDiffers,
    SurplusBytes,
)
from mockcampaign.judging.situation import Situation
from mockcampaign.report import advice

USUAL = "what the rule says"
RATE = advice.BY_STATUS[429].text
LOG = f"{USUAL} {advice.LOOK_INTO_LOG.text}"
NOT_IN_KEY = ("created", "created.milliseconds", "browser", "browser.case")
NUL = EdgeCaseField(name="browser", value='"a\\u0000b"')
INHERITED = Stimulus(
    situation=Situation.EDGE_CASE, edge_cases=(EdgeCaseField(name="recipientId", value='"constructor"'),)
)
BESIDE_EMPTY = Stimulus(
    situation=Situation.EDGE_CASES,
    edge_cases=(EdgeCaseField(name="listId", absent=True), EdgeCaseField(name="listId", value="9007199254740993")),
)
LOST = StoreDiffers(after=Stimulus(situation=Situation.EDGE_CASE), missing=1)
LATE = Reply(phase="wait", timed_out=True)
GONE = Reply(phase="wait", reason="connection closed before a response")


def of(status: int) -> Reply:
    return Reply(status=status)


def responded(situation: Situation, *replies: Reply) -> Response:
    return Response(to=Stimulus(situation=situation), replies=replies)


@pytest.mark.parametrize(
    ("facts", "fix"),
    [
        ((responded(Situation.BATCH, of(500)),), LOG),
        ((responded(Situation.BATCH, of(418)),), USUAL),
        *(((responded(Situation.BATCH, of(n)),), advice.BY_STATUS[n].text) for n in (201, 202, 204, 207, 413, 504)),
        ((responded(Situation.BATCH, of(403)),), f"{USUAL} {advice.BY_STATUS[403].text}"),
        ((responded(Situation.BATCH, of(302)),), advice.REDIRECT.text),
        ((responded(Situation.WITH_CREDENTIALS, of(401)),), advice.CREDENTIALS.text),
        ((responded(Situation.REDELIVERED, of(409)),), advice.ACCEPT_REDELIVERED.text),
        (
            (responded(Situation.REDELIVERED_LATER, of(500)),),
            f"{advice.ACCEPT_REDELIVERED.text} {advice.LOOK_INTO_LOG.text}",
        ),
        ((responded(Situation.REDELIVERED_AT_END, of(429)),), RATE),
        (
            (StoreDiffers(after=Stimulus(situation=Situation.LONG_RECIPIENT_ENGAGEMENTS), missing=1),),
            advice.WHOLE_KEY.text,
        ),
        (
            (StoreDiffers(after=Stimulus(situation=Situation.REDELIVERED_IDENTICAL), duplicate=1),),
            advice.IDENTICAL_ONCE.text,
        ),
        ((CountsTwice(event_type="open", duplicate=1, events=40),), f"{USUAL} {advice.EVENT_ALONE.text}"),
        (
            (CountsTwice(event_type="open", duplicate=1, events=40, always=True),),
            f"{USUAL} {advice.NULL_IS_NO_MATCH.text}",
        ),
        ((responded(Situation.GOOD_AROUND_EDGE_CASE, of(500), of(200)),), advice.NEVER_GIVE_UP.text),
        ((responded(Situation.BATCH, of(404)), StoredAnyway(events=1)), advice.STORED_WITHOUT_200.text),
        ((responded(Situation.BATCH, LATE),), advice.FASTER.text),
        ((responded(Situation.BATCH, GONE),), advice.WHOLE_RESPONSE.text),
        ((responded(Situation.BATCH, of(503), of(429)),), RATE),
        # What is special about a request says more than how it ended, unless the consumer limits the rate.
        ((responded(Situation.SLOW_BODY, LATE),), USUAL),
        ((responded(Situation.REQUEST_ON_ONE_CONNECTION, GONE),), USUAL),
        ((responded(Situation.REQUEST_IN_A_ROW, of(429)),), RATE),
        ((responded(Situation.PART_OF_BACKLOG, LATE),), advice.FASTER.text),
        # Only the ordinary batch after a bad request counts.
        ((responded(Situation.OVERSIZED_BODY, LATE), responded(Situation.ORDINARY_AFTERWARDS, of(503))), USUAL),
        ((responded(Situation.NULL, of(429)), responded(Situation.ORDINARY_AFTERWARDS, of(503))), USUAL),
        (
            (responded(Situation.NULL, of(400)), responded(Situation.ORDINARY_AFTERWARDS, of(429))),
            RATE,
        ),
        ((responded(Situation.CREDENTIALS, LATE), responded(Situation.CREDENTIALS, of(429))), USUAL),
        # A lock-out may well be a 429.
        ((responded(Situation.VALID_AFTER_INVALID, of(401)),), USUAL),
        ((responded(Situation.VALID_AFTER_INVALID, of(429)),), USUAL),
        ((responded(Situation.VALID_AFTER_INVALID, of(400), of(200)),), advice.UNREAD_BODY.text),
        ((responded(Situation.VALID_AFTER_INVALID, GONE, of(200)),), advice.UNREAD_BODY.text),
        ((SurplusBytes(to=Stimulus(situation=Situation.REQUEST_ON_ONE_CONNECTION)),), advice.EXACT_LENGTH.text),
        ((StoreDiffers(after=Stimulus(situation=Situation.BACKLOG), missing=1),), advice.LIMITED_SIZE.text),
        ((StoreDiffers(after=Stimulus(situation=Situation.BATCH), missing=1),), USUAL),
        ((StoreDiffers(missing=1),), USUAL),
        ((Died(after=Stimulus(situation=Situation.NULL), reason="refused"),), advice.CATCH.text),
        ((Confirmed(what=Confirmation.RECOVERED),), USUAL),
        *(
            ((StoreDiffers(after=Stimulus(situation=situation), missing=1),), one.text)
            for situation, one in (
                (Situation.REPEAT_ENGAGEMENT, advice.MAIL_IS_NO_EVENT),
                (Situation.ONE_RECIPIENT_MANY_MAILS, advice.RECIPIENT_IS_NO_EVENT),
                (Situation.SAME_MILLISECOND, advice.CREATED_IS_NO_EVENT),
                (Situation.ONE_MAIL_SAME_MILLISECOND, advice.MAIL_AND_CREATED_ARE_NO_EVENT),
                (Situation.OPEN_AND_CLICK, advice.TYPE_IS_COMPARED),
                (Situation.CLICKS_ON_TWO_LINKS, advice.LINK_IS_COMPARED),
            )
        ),
        ((StoreDiffers(after=Stimulus(situation=Situation.REPEAT_ENGAGEMENT), duplicate=1),), USUAL),
        (
            (StoreDiffers(after=Stimulus(situation=Situation.RANDOM_HISTORY), duplicate=1),),
            f"{USUAL} {advice.KEEP_AFTER_MATCH.text}",
        ),
        ((StoreDiffers(after=Stimulus(situation=Situation.RANDOM_HISTORY), missing=1),), USUAL),
        (
            (KeysOn(event_type="open", fields=("created",), ignored=NOT_IN_KEY[1:], events_lost=1, events=2, pairs=3),),
            f"{USUAL} {advice.HASH_AS_SENT.text}",
        ),
        (
            (KeysOn(event_type="open", fields=("mailId",), ignored=NOT_IN_KEY, events_lost=1, events=2, pairs=3),),
            USUAL,
        ),
        ((responded(Situation.BATCH, LATE, of(200)),), f"{USUAL} {advice.WARM_UP.text}"),
        ((responded(Situation.BATCH, of(500), of(200)),), USUAL),
        ((responded(Situation.EDGE_CASES, of(400)),), f"{USUAL} {advice.BATCH_OF_UNLIKE_EVENTS.text}"),
        ((responded(Situation.EDGE_CASE, of(200)), LOST), f"{USUAL} {advice.SWALLOWED.text}"),
        ((responded(Situation.EDGE_CASE, of(500)), LOST), LOG),
        ((LOST,), USUAL),
        (
            (Response(to=Stimulus(situation=Situation.EDGE_CASE, edge_cases=(NUL,)), replies=(of(400),)),),
            f"{USUAL} {advice.NUL_IN_TEXT.text}",
        ),
        (
            (Response(to=INHERITED, replies=(of(500),)),),
            f"{USUAL} {advice.NO_PLAIN_OBJECT.text} {advice.LOOK_INTO_LOG.text}",
        ),
        ((StoreDiffers(after=INHERITED, missing=1),), f"{USUAL} {advice.NO_PLAIN_OBJECT.text}"),
        ((StoreDiffers(after=BESIDE_EMPTY, altered=1),), advice.FLOATS_BESIDE_EMPTY.text),
        ((StoreDiffers(after=BESIDE_EMPTY, missing=1),), USUAL),
        (
            (Response(to=BESIDE_EMPTY, replies=(of(200),)), StoreDiffers(after=BESIDE_EMPTY, altered=1)),
            advice.FLOATS_BESIDE_EMPTY.text,
        ),
        (
            (responded(Situation.BATCH, LATE), responded(Situation.BATCH, GONE)),
            f"{advice.FASTER.text} {advice.WHOLE_RESPONSE.text}",
        ),
        ((responded(Situation.BATCH, LATE), responded(Situation.BATCH, LATE)), advice.FASTER.text),
    ],
)
def test_advice_follows_from_the_facts(facts: tuple[AnyFact, ...], fix: str) -> None:
    assert advice.advice("any-rule", USUAL, facts) == fix


@pytest.mark.parametrize(
    ("sent", "stored", "said"),
    [
        ('"abcdef"', '"abc"', "browser is cut off after 3 characters"),
        ('"abcdef"', '"abX"', USUAL),
        ("9007199254740993", "9007199254740992", "browser lost digits beyond 2^53"),
        ("9007199254740993", "9.007199254740992e15", "browser lost digits beyond 2^53"),
        ("17", "18", USUAL),
        ('"0012"', "12", "Store browser as text"),
        ('"x"', None, USUAL),
        ('" both "', '"both"', "Do not trim browser"),
        ('"a & b"', '"a &amp; b"', "browser is stored escaped for HTML"),
        ('"été"', '"Ã©tÃ©"', "browser was decoded as Latin-1"),
        ('"été"', '"Ã©"', "browser was decoded as Latin-1"),
        ('"e\u0301"', '"é"', "Do not normalise browser"),
        ('"KD-1"', '"kd-1"', "Do not change the case of browser"),
        ('"0012"', '"12"', "Store browser as text"),
        ('"on 📱"', '"on "', "browser is cut off before 📱, a character of four bytes"),
        ('"a\\u0000b"', '"a"', "browser is cut off at a NUL character"),
        ("17", '"17"', f"{USUAL} The probe reports numbers as text: browser."),
    ],
)
def test_advice_names_what_became_of_a_field(sent: str, stored: str | None, said: str) -> None:
    change = FieldChange(name="browser", sent=sent, stored=stored)
    example = EventDifference(kind="altered", event="", changes=(change,))
    for fact in (StoreDiffers(altered=1, examples=(example,)), FieldsAltered(changes=(change,))):
        assert advice.advice("any-rule", USUAL, (fact,)).startswith(said)


def test_an_error_after_which_the_server_closes_is_what_has_to_be_explained() -> None:
    assert advice.advice("any-rule", USUAL, (responded(Situation.BATCH, of(500), GONE),)) == LOG
    assert advice.WHOLE_RESPONSE.text in advice.advice("any-rule", USUAL, (responded(Situation.BATCH, of(400), GONE),))


def test_fields_that_no_stored_event_has_may_be_left_out_on_purpose() -> None:
    changes = (
        FieldChange(name="browser", sent='"x"', stored=None),
        FieldChange(name="clientId", sent="1", stored='"1"'),
    )
    fact = FieldsAltered(changes=changes, absent=("browser",), kept=("mailId", "client id"))
    assert advice.advice("any-rule", USUAL, (fact,)) == (
        "Store all fields, their values and their types. If you leave fields out on purpose, name the ones you store: "
        "--probe-fields 'mailId,client id'. The probe reports numbers as text: clientId."
    )
    renamed = msgspec.structs.replace(fact, unknown=("agent",))
    assert "Stored events also have agent, which no event has" in str(advice.advice("any-rule", USUAL, (renamed,)))


SHARES_KEY = Pattern(of="missing", what="shares-key")
MOSTLY_SHARES_KEY = Pattern(of="missing", what="shares-key", fields=("mailId",), count=2, total=3)
WHOLE_BATCHES = Pattern(of="missing", what="whole-batches")
REDELIVERED = Pattern(of="duplicate", what="redelivered")


@pytest.mark.parametrize(
    ("found", "rule"),
    [
        (StoreDiffers(missing=2, patterns=(SHARES_KEY,)), "deduplicates-on-all-fields"),
        (StoreDiffers(missing=3, patterns=(MOSTLY_SHARES_KEY,)), "deduplicates-on-all-fields"),
        (StoreDiffers(missing=2, patterns=(WHOLE_BATCHES,)), "stores-before-acknowledging"),
        (StoreDiffers(missing=2), "stores-every-event"),
        (StoreDiffers(duplicate=2, patterns=(REDELIVERED,)), "once-after-lost-response"),
        (StoreDiffers(altered=1), "stores-fields-unchanged"),
    ],
)
def test_the_rule_behind_a_difference_is_one_of_the_catalogue(found: StoreDiffers, rule: str) -> None:
    assert advice.of_stored(found) == f"The rule behind it, and how to fix it: mockcampaign rules {rule}"
    assert rule in {one.id for one in CATALOGUE}


def test_duplicates_that_were_sent_once_suggest_no_rule() -> None:
    assert advice.of_stored(StoreDiffers(duplicate=2)) is None
