"""From a captured event of any convention, each field gets its role, and a reason."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conventions import CONVENTIONS, Convention
from mockcampaign.errors import InvalidInputError
from mockcampaign.model import EventType
from mockcampaign.shape.builtin import builtin_shape
from mockcampaign.shape.field import ONCE, EventField, Role, value_at
from mockcampaign.shape.infer import infer_shape
from mockcampaign.shape.shape import LIST, OBJECT, Shape

SURE = (Role.TYPE, Role.MOMENT)
"""Roles that must be right in every convention."""


def roles_of(shape: Shape) -> dict[str, Role]:
    return {field.name: field.role for field in shape.fields}


def role_in(event: dict[str, Any], name: str) -> Role:
    return roles_of(infer_shape([event]))[name]


def field_of(shape: Shape, name: str) -> EventField:
    return next(field for field in shape.fields if field.name == name)


OPEN = {"type": "open", "recipientId": "4711", "mailingId": 5, "created": 1_564_590_054_000}


# Conventions


@pytest.mark.parametrize("name", CONVENTIONS)
def test_type_moment_and_key_are_right_in_every_convention(name: str) -> None:
    convention = CONVENTIONS[name]
    shape = infer_shape([convention.event])
    assert shape.event_type is convention.event_type
    found = roles_of(shape)
    assert {one: found[one] for one, role in convention.roles.items() if role in SURE} == {
        one: role for one, role in convention.roles.items() if role in SURE
    }
    assert shape.moment(convention.event) is not None
    assert shape.key(convention.event) is not None


def wrong(convention: Convention) -> dict[str, tuple[Role, Role]]:
    found = roles_of(infer_shape([convention.event]))
    return {name: (found[name], role) for name, role in convention.roles.items() if found[name] is not role}


def test_nearly_all_roles_are_right() -> None:
    mistakes = {name: wrong(convention) for name, convention in CONVENTIONS.items()}
    total = sum(len(convention.roles) for convention in CONVENTIONS.values())
    assert len(CONVENTIONS) >= 25
    assert sum(map(len, mistakes.values())) <= total * 0.05, {name: one for name, one in mistakes.items() if one}


# Campaign's own events


@pytest.mark.parametrize("kind", EventType)
def test_our_own_events_get_the_roles_of_our_own_shapes(kind: EventType) -> None:
    builtin = builtin_shape(kind)
    shape = infer_shape(builtin.examples)
    assert shape.event_type is kind
    assert roles_of(shape) == roles_of(builtin)


# Ids


@pytest.mark.parametrize(("name", "role"), [("recipientId", Role.RECIPIENT), ("mail_id", Role.MAIL)])
def test_what_is_named_an_id_is_one_even_with_spaces(name: str, role: Role) -> None:
    assert role_in({"type": "open", "at": "2024-05-06T07:08:09Z", name: "Kunde 12"}, name) is role
    assert role_in({**OPEN, "campaign": "Spring sale 2024"}, "campaign") is Role.TEXT


# Types


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("CLICK", EventType.CLICK),
        ("email_click", EventType.CLICK),
        ("clicked", EventType.CLICK),
        ("emailopened", EventType.OPEN),
        ("Opened Email", EventType.OPEN),
        ("Hard bounce", EventType.BOUNCE),
        ("soft-bounce", EventType.BOUNCE),
        ("unsubscribed", EventType.UNSUBSCRIBE),
        ("opt_out", EventType.UNSUBSCRIBE),
        ("spam_complaint", EventType.SPAMCOMPLAINT),
        ("SpamReport", EventType.SPAMCOMPLAINT),
        ("delivered", EventType.SENT),
        ("singleOptIn", EventType.SINGLEOPTIN),
        ("double opt-in", EventType.DOUBLEOPTIN),
        ("confirmed_opt_in", EventType.CONFIRMEDOPTIN),
        ("filteredByBlocklist", EventType.FILTEREDBYBLOCKLIST),
        ("ARCHIVED", EventType.ARCHIVE),
        ("Öffnung", EventType.OPEN),
        *((kind.value, kind) for kind in EventType),
        *((kind.value.upper(), kind) for kind in EventType),
    ],
)
def test_words_for_a_type(word: str, kind: EventType) -> None:
    assert infer_shape([{**OPEN, "type": word}]).event_type is kind


@pytest.mark.parametrize("word", ["consent", "presented", "absent", "newsletter", "respond", "", "x" * 100])
def test_other_words_are_no_type(word: str) -> None:
    with pytest.raises(
        InvalidInputError, match=r"^no field says a known event type, allowed: --type with one of open, "
    ):
        infer_shape([{**OPEN, "type": word}])


def test_the_type_can_be_given() -> None:
    shape = infer_shape([{**OPEN, "type": "newsletter-7"}], event_type=EventType.CLICK)
    assert (shape.event_type, role_name(shape, Role.TYPE)) == (EventType.CLICK, "type")
    assert infer_shape([{"recipientId": "1", "created": 1}], event_type=EventType.SENT).field(Role.TYPE) is None


def role_name(shape: Shape, role: Role) -> str | None:
    field = shape.field(role)
    return None if field is None else field.name


def test_several_types_need_a_choice() -> None:
    events = [OPEN, {**OPEN, "type": "clicked", "url": "https://www.example.com"}, {**OPEN, "type": "opened"}]
    with pytest.raises(
        InvalidInputError, match=r"^contains events of types open, click, allowed: one of them, by --type$"
    ):
        infer_shape(events)
    chosen = infer_shape(events, event_type=EventType.OPEN)
    assert chosen.examples == (events[0], events[2])
    assert "url" not in roles_of(chosen)


# Single clues


@pytest.mark.parametrize(
    ("name", "value", "role"),
    [
        ("x", "192.0.2.1", Role.NETWORK_ADDRESS),
        ("x", "2001:db8::1", Role.NETWORK_ADDRESS),
        ("sending_ip", "192.0.2.1", Role.NETWORK_ADDRESS),
        ("x", "https://www.example.com/a", Role.LINK),
        ("href", "/offer", Role.LINK),
        ("x", "2024-05-06T07:08:09Z", Role.OTHER_MOMENT),
        ("x", "f47ac10b-58cc-4372-a567-0e02b2c3d479", Role.ID),
        ("x", "3IHQ2XT8-38PY7WFQ-XKNQSY", Role.MAIL),
        ("x", "12345678", Role.ID),
        ("x", 5, Role.OTHER),
        ("size", 12345678, Role.OTHER),
        ("price", 12.5, Role.OTHER),
        ("x", True, Role.OTHER),
        ("x", ["a"], Role.OTHER),
        ("x", {}, Role.OTHER),
        ("x", None, Role.OTHER),
        ("device", None, Role.OTHER),
        ("x", "Any words at all", Role.TEXT),
        ("x", "word", Role.OTHER),
        ("subject", "Spring", Role.TEXT),
        ("category", "hardbounce", Role.ENUMERATION),
        ("messageType", "promo", Role.ENUMERATION),
        ("eventId", "77aa", Role.ID),
        ("clientName", "Outlook 16", Role.BROWSER),
        ("from", "news@shop.example", Role.OTHER),
        ("email", "anna@example.com", Role.RECIPIENT_ADDRESS),
        ("phone", "+49 152 000", Role.RECIPIENT_ADDRESS),
        *(
            (name, link, Role.LINK)
            for name in ("url", "x", "memo")
            for link in (
                "https://shop.example/?mail=erika@web.example",
                "https://shop.example/@shop/index.html",
                "https://erika@shop.example",
                "mailto:erika@web.example",
            )
        ),
        ("url", "shop.example/@shop/index.html", Role.LINK),
        ("url", "erika@web.example", Role.LINK),
        ("destination", "erika@web.example", Role.RECIPIENT_ADDRESS),
        ("when", "tomorrow", Role.OTHER),
        ("openedOn", "Mon, 06 May 2024 07:08:09 +0000", Role.TEXT),
        ("mailing_list_id", 3, Role.RECIPIENT_LIST),
        ("parentMailingId", 3, Role.ID),
    ],
)
def test_what_one_more_field_is(name: str, value: object, role: Role) -> None:
    assert role_in({**OPEN, name: value}, name) is role


def test_an_address_without_another_name_of_a_person_is_the_recipient() -> None:
    address = {"email": "anna@example.com"}
    assert role_in({"type": "open", **address}, "email") is Role.RECIPIENT
    assert role_in({"type": "open", **address, "userId": 77}, "email") is Role.RECIPIENT_ADDRESS
    assert role_in({"type": "open", "media": {"EMAIL": "anna@example.com"}}, "media.EMAIL") is Role.RECIPIENT_ADDRESS


@pytest.mark.parametrize("name", ["url", "x"])
@pytest.mark.parametrize("link", ["https://shop.example/?mail=erika@web.example", "mailto:erika@web.example"])
def test_a_link_with_an_address_in_it_is_never_the_recipient(name: str, link: str) -> None:
    event = {"type": "click", name: link, "mailId": "3IHQ2XT8-38PY7WFQ-XKNQSY"}
    assert role_in(event, name) is Role.LINK


def test_a_number_is_the_moment_only_if_nothing_else_is() -> None:
    number = {"m": 1_714_979_289}
    event = {"type": "open", "recipientId": "4711", **number}
    assert role_in(event, "m") is Role.MOMENT
    assert role_in({**event, "created": 1_714_979_289_000}, "m") is not Role.MOMENT
    assert role_in({"type": "open", "userId": "4711", "orderId": 1_714_979_289}, "orderId") is Role.ID


def test_the_first_of_equal_claims_wins() -> None:
    event = {"type": "open", "recipientId": "4711", "timestamp": 1_714_979_289, "ts": 1_714_979_290}
    assert role_in(event, "timestamp") is Role.MOMENT
    assert role_in(dict(reversed(event.items())), "ts") is Role.MOMENT


# Several events


def test_a_field_is_optional_if_an_event_lacks_it_or_has_null() -> None:
    events = [{**OPEN, "device": None, "browser": "Edge"}, {**OPEN, "device": "tv"}, {**OPEN, "browser": "Edge"}]
    shape = infer_shape(events)
    optional = {field.name for field in shape.fields if field.optional}
    assert optional == {"device", "browser"}
    assert field_of(shape, "device").example == "tv"


def test_values_of_enumerations_and_traits_are_listed() -> None:
    events = [{**OPEN, "type": "bounce", "category": word, "device": "tv"} for word in ("hard", "soft", "hard")]
    shape = infer_shape(events)
    assert field_of(shape, "category").values == ("hard", "soft")
    assert field_of(shape, "device").values == ("tv",)
    assert field_of(shape, "mailingId").values == ()


def test_an_object_that_is_sometimes_something_else_is_one_field() -> None:
    shape = infer_shape([{**OPEN, "extra": {"a": 1}}, {**OPEN, "extra": 7}, {**OPEN, "user": None}])
    assert field_of(shape, "extra").role is Role.OTHER
    assert "extra.a" not in roles_of(shape)
    shape = infer_shape([{**OPEN, "extra": None}, {**OPEN, "extra": {"a": 1}}])
    assert "extra" not in roles_of(shape)
    assert field_of(shape, "extra.a").optional


# Corrections


def test_assigned_roles_are_taken_from_other_fields() -> None:
    event = {**OPEN, "note": "4812", "batch": 77}
    shape = infer_shape([event], roles={("note",): Role.RECIPIENT, ("batch",): Role.MAILING})
    assert roles_of(shape) == {
        "type": Role.TYPE,
        "recipientId": Role.ID,
        "mailingId": Role.ID,
        "created": Role.MOMENT,
        "note": Role.RECIPIENT,
        "batch": Role.MAILING,
    }
    assert field_of(shape, "note").reason == "assigned, not inferred"
    assert field_of(shape, "recipientId").reason == "named like a recipient's id, which another field is"


@pytest.mark.parametrize(
    ("name", "role", "message"),
    [
        ("flag", Role.MAIL, "field flag: true cannot be a mail, allowed: enumeration, other"),
        ("word", Role.MOMENT, 'field word: "x" cannot be a moment, allowed: type, recipient, '),
        ("list", Role.LINK, "field list: [1] cannot be a link, allowed: other"),
    ],
)
def test_a_role_that_a_value_cannot_play_is_rejected(name: str, role: Role, message: str) -> None:
    event = {**OPEN, "flag": True, "word": "x", "list": [1]}
    with pytest.raises(InvalidInputError) as rejected:
        infer_shape([event], roles={(name,): role})
    assert str(rejected.value).startswith(message)


def test_something_must_identify_a_mail() -> None:
    with pytest.raises(
        InvalidInputError,
        match=r"^no field identifies a mail, allowed: a field of text or whole numbers",
    ):
        infer_shape([{"type": "open", "created": 1_564_590_054_000}])
    with pytest.raises(InvalidInputError, match=r"^no event, allowed: at least one captured event$"):
        infer_shape([])


def test_a_shape_without_a_moment_is_valid() -> None:
    shape = infer_shape([{"type": "open", "recipientId": "4711"}], body=OBJECT)
    assert shape.field(Role.MOMENT) is None
    assert shape.body == OBJECT


# Laws

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.sampled_from(
        [
            "open",
            "Clicked",
            "192.0.2.1",
            "a@example.com",
            "2024-05-06T07:08:09Z",
            "2024-02-30",
            "9999-12-31T23:59:59-01:00",
            "https://www.example.com",
            "3IHQ2XT8-38PY7WFQ-XKNQSY",
            "1714979289",
            1_714_979_289_000,
        ]
    )
)
NAMES = st.sampled_from(
    ["type", "event", "id", "mailId", "recipient", "email", "created", "ts", "ip", "url", "device", "Nr", "a.b", ""]
) | st.text(max_size=6)
OBJECTS = st.dictionaries(
    NAMES,
    st.recursive(
        SCALARS, lambda one: st.lists(one, max_size=2) | st.dictionaries(NAMES, one, max_size=3), max_leaves=6
    ),
    max_size=8,
)


def shape_or_line(events: list[dict[str, Any]], kind: EventType | None) -> Shape | str:
    try:
        return infer_shape(events, event_type=kind)
    except InvalidInputError as error:
        return str(error)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.lists(OBJECTS, max_size=3), st.none() | st.sampled_from(EventType))
@example([{"type": "open", "id": 1, "at": "0001-01-01T00:00:00+23:59"}], None)
@example([{"type": "open", "id": 1, "at": "2024-01-01T24:00:00Z"}], None)
@example([{"type": "open", "id": 1, "at": 1e300}], None)
def test_any_objects_give_a_shape_or_one_line(events: list[dict[str, Any]], kind: EventType | None) -> None:
    before = json.dumps(events)
    shape = shape_or_line(events, kind)
    if isinstance(shape, str):
        assert shape
        assert "\n" not in shape
        return
    assert json.dumps(events) == before
    assert all(any(one is event for event in events) for one in shape.examples)
    assert infer_shape(events, event_type=kind) == shape
    assert shape.key_fields
    played = [field.role for field in shape.fields if field.role in ONCE]
    assert len(played) == len(set(played))
    for field in shape.fields:
        assert field.reason
        assert "\n" not in field.reason
        assert field.source == "captured"
    moment = shape.field(Role.MOMENT)
    if moment is not None:
        of_example = shape.moment(next(one for one in shape.examples if value_at(one, moment.path) == moment.example))
        assert of_example is not None
        later = shape.later(shape.examples[0], 86_400_000)
        assert set(later) == set(shape.examples[0])


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.sampled_from(sorted(CONVENTIONS)), st.randoms(use_true_random=False))
def test_the_order_of_fields_decides_only_between_equal_claims(name: str, random: Any) -> None:
    convention = CONVENTIONS[name]
    if name == "names that say nothing":
        return  # where the place is all there is
    items = list(convention.event.items())
    random.shuffle(items)
    found = roles_of(infer_shape([dict(items)]))
    for field, role in convention.roles.items():
        assert found[field] is role, field


def test_every_captured_value_stays() -> None:
    for convention in CONVENTIONS.values():
        shape = infer_shape([convention.event])
        assert shape.examples == (convention.event,)
        assert shape.body == LIST
        assert {field.name: field.example for field in shape.fields} == {
            field.name: value_at(convention.event, field.path) for field in shape.fields
        }
