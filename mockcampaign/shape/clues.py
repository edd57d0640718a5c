"""Clues about one captured field: which roles its name, its format and its place suggest, and how surely."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from mockcampaign.model import EventType
from mockcampaign.shape.builtin import builtin_shape
from mockcampaign.shape.field import ONCE, TRAITS, Role, Value
from mockcampaign.shape.likeness import address_version, alphabets_of, has_token_group, is_uuid
from mockcampaign.shape.moment import Moment, is_recent, moment_of, read_moment, write_moment
from mockcampaign.shape.vocabulary import (
    AMOUNTS_AND_SENDERS,
    ENTITIES,
    ENVELOPES,
    MEDIA,
    MEDIA_OBJECTS,
    NAME_SCORE,
    NUMBER_ENDINGS,
    SENDING_SIDE,
    TIME_WORDS,
    NamedLike,
    event_type_of,
    is_named_id,
    named_like,
    words_of,
)
from mockcampaign.tables import complete

Path = tuple[str, ...]

_EMAIL = re.compile(r"[^@\s<>\":/]+@[^@\s<>\":/]+\.[^@\s<>\":/.]+")
"""An e-mail address by itself: neither a link that contains one nor one with a scheme."""
_URL = re.compile(r"(?:https?|mailto|tel|ftp|sms):\S+|www\.\S+", re.IGNORECASE)
_USER_AGENT = re.compile(r"Mozilla/\d|.*\bAppleWebKit/|(?:curl|Wget|okhttp|python-requests)/\d", re.IGNORECASE)
_DEVICE = re.compile(r"(?:desktop|mobile|tablet|smartphone|phone|iphone|ipad|pc|wearable|bot)", re.IGNORECASE)
_SYSTEM = re.compile(
    r"(?:windows|mac ?os|macos|os x|ios|ipados|android|linux|ubuntu|debian|chrome ?os)\b", re.IGNORECASE
)
_BROWSER = re.compile(
    r"(?:firefox|(?:mobile )?(?:chrome|safari)|edge|opera|internet explorer|outlook|thunderbird|apple mail|gmail|"
    r"samsung internet|yahoo)\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_/. ][A-Za-z0-9]+){0,3}")

TYPE_UNRECOGNISED, TYPE_BY_VALUE, TYPE_BY_TEXT, BY_FORMAT, BY_NUMBER, BY_PLACE = 40, 60, 45, 45, 15, 10
"""Scores of clues besides names."""

PERSON = 35
"""Score of an e-mail address as the id of the recipient, when nothing is named like one."""

_IDS = frozenset(
    {
        Role.RECIPIENT,
        Role.MAIL,
        Role.MAILING,
        Role.RECIPIENT_LIST,
        Role.CLIENT,
        Role.SUBSCRIPTION,
        Role.LINK_ID,
        Role.ID,
    }
)

_NAMED: Mapping[Role, str] = complete(
    "phrases about names of each role",
    Role,
    {
        Role.TYPE: "the type of an event",
        Role.RECIPIENT: "a recipient's id",
        Role.RECIPIENT_ADDRESS: "a recipient's address",
        Role.MAIL: "a mail's id",
        Role.MAILING: "a mailing's id",
        Role.RECIPIENT_LIST: "a recipient list's id",
        Role.CLIENT: "a client's id",
        Role.SUBSCRIPTION: "a subscription's id",
        Role.LINK_ID: "a link's id",
        Role.ID: "an id",
        Role.MOMENT: "the time of an event",
        Role.OTHER_MOMENT: "a time",
        Role.LINK: "the target of a link",
        Role.NETWORK_ADDRESS: "an IP address",
        Role.DEVICE: "a device",
        Role.OPERATING_SYSTEM: "an operating system",
        Role.BROWSER: "a browser",
        Role.ENUMERATION: "a category",
        Role.TEXT: "a text",
        Role.OTHER: "something that stays as it is",
    },
)


class Clue(msgspec.Struct, frozen=True):
    """A role that a field may play."""

    role: Role
    score: int
    reason: str


class FieldClues(msgspec.Struct, frozen=True):
    """All roles that a field may play."""

    once: tuple[Clue, ...]
    """Roles that one field of an event plays, best first."""
    otherwise: Clue
    """The role if other fields have better claims to those."""

    def reason(self, role: Role) -> str | None:
        """Return why the field may play the role, or None if nothing suggests it."""
        found = next((clue for clue in (*self.once, self.otherwise) if clue.role is role), None)
        return None if found is None else found.reason


def clues_about(path: Path, value: Value, place: int, event_type: EventType | None) -> FieldClues:
    """Return the clues about a field. `place` counts the fields before it; the type is None while it is unknown."""
    named = named_like(path)
    once = [clue for one in named if (clue := _by_name(path, value, one, event_type)) is not None]
    once += _by_format(path, value, named, event_type)
    if not named and not is_named_id(path[-1]):
        once += _by_place(path, value, place, event_type)
    best: dict[Role, Clue] = {}
    for clue in sorted(once, key=lambda one: -one.score):
        best.setdefault(clue.role, clue)
    ranked = tuple(best.values())
    return FieldClues(ranked, _otherwise(path, value, named, ranked))


def fits(role: Role, value: Value) -> bool:
    """Return whether a field with this value can play the role."""
    if role in _IDS:
        return _is_identifier(value)
    match role:
        case Role.MOMENT | Role.OTHER_MOMENT:
            return is_writable(value)
        case Role.ENUMERATION:
            return isinstance(value, str | int | float)
        case Role.OTHER:
            return True
        case _:
            return isinstance(value, str)


def is_writable(value: Value) -> bool:
    """Return whether the value is a time in a format in which other times can be written."""
    moment = read_moment(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else None
    if moment is None or not is_recent(moment):
        return False
    writable: Moment = value
    try:
        return read_moment(write_moment(writable, moment)) is not None
    except (ValueError, OverflowError):
        return False


def _by_name(path: Path, value: Value, named: NamedLike, event_type: EventType | None) -> Clue | None:
    role, score = named.role, named.score
    if role not in ONCE or not fits(role, value):
        return None
    if role is Role.TYPE:
        return _type_by_name(path, value, score)
    if role is Role.MOMENT:
        return Clue(role, score + _named_after(path, event_type) - _distance(path), "named like the time of an event")
    if role is Role.NETWORK_ADDRESS:
        return None  # by its format
    if role is Role.MAIL and _EMAIL.fullmatch(value if isinstance(value, str) else "") and not _is_message_id(path):
        return None
    is_name = _is_sentence(value) and not is_named_id(path[-1])
    if role in _IDS and (is_name or (isinstance(value, str) and _URL.fullmatch(value))):
        return None
    if role is Role.MAIL and isinstance(value, str) and has_token_group(value):
        score += 5
    return Clue(role, score, f"named like {_NAMED[role]}")


def _type_by_name(path: Path, value: str, score: int) -> Clue | None:
    recognised = event_type_of(value)
    if recognised is None:
        doubtful = TYPE_UNRECOGNISED + (score - 100) // 2
        return None if _is_sentence(value) else Clue(Role.TYPE, doubtful, "named like the type of an event")
    return Clue(Role.TYPE, score + 10 - _distance(path), f"named like the type of an event, and says {recognised}")


_MESSAGES = {"msg", "message", "mail", "email", "nachricht"}
"""Words of names under which a text may be a message or its id."""


def _by_format(path: Path, value: Value, named: tuple[NamedLike, ...], event_type: EventType | None) -> list[Clue]:
    roles = {one.role for one in named}
    words = {word for name in path for word in words_of(name)}
    found = []
    if isinstance(value, str):
        if address_version(value):
            score = 90 if Role.NETWORK_ADDRESS in roles else 60
            score -= 40 * bool(words & SENDING_SIDE)
            found.append(Clue(Role.NETWORK_ADDRESS, score, "looks like an IP address"))
        if _is_recipients(path, value, named) and Role.MAIL not in roles:
            found.append(Clue(Role.RECIPIENT, PERSON, "an e-mail address, and nothing else is named like a recipient"))
        may_be_type = not named or words_of(path[-1])[-1:] == ("name",)
        if may_be_type and event_type_of(value) is not None and len(words_of(value)) <= 3:
            said = event_type_of(value)
            score = (TYPE_BY_VALUE if not named else TYPE_BY_TEXT) - _distance(path)
            found.append(Clue(Role.TYPE, score, f"says {said}"))
        if not named and has_token_group(value) and value.count("-") >= 2 and not is_uuid(value):
            found.append(Clue(Role.MAIL, BY_FORMAT, "groups of letters and digits, like the mail id in the guide"))
        if Role.MAIL not in roles and words & _MESSAGES and (is_uuid(value) or has_token_group(value)):
            found.append(Clue(Role.MAIL, BY_FORMAT, "looks like an id, and is named like a message"))
        found += _client(value, named)
    if is_writable(value) and Role.MOMENT not in roles:
        found += _moment(path, value, named, event_type)
    return found


def _client(value: str, named: tuple[NamedLike, ...]) -> list[Clue]:
    if _USER_AGENT.match(value):
        return [Clue(Role.BROWSER, BY_FORMAT, "looks like a user agent")]
    if named or len(value) > 60:
        return []
    if _DEVICE.fullmatch(value):
        return [Clue(Role.DEVICE, BY_FORMAT, "looks like a kind of device")]
    if _SYSTEM.match(value):
        return [Clue(Role.OPERATING_SYSTEM, BY_FORMAT, "looks like an operating system")]
    if _BROWSER.match(value):
        return [Clue(Role.BROWSER, BY_FORMAT, "looks like a browser")]
    return []


def _moment(path: Path, value: Value, named: tuple[NamedLike, ...], event_type: EventType | None) -> list[Clue]:
    if _is_time(path, value):
        score = BY_FORMAT + _named_after(path, event_type) - _distance(path)
        return [Clue(Role.MOMENT, score, "looks like a date or time")]
    if not named and not is_named_id(path[-1]) and isinstance(value, int | float):
        return [Clue(Role.MOMENT, BY_NUMBER, "a number that may be a time, and nothing else looks like one")]
    return []


def _named_after(path: Path, event_type: EventType | None) -> int:
    """Return what it counts that the name of a time says this event's type (`openedAt`), or another one (`sentAt`)."""
    said = {kind for word in words_of(path[-1]) if (kind := event_type_of(word)) is not None}
    return 35 * (event_type in said) - 20 * bool(said - {event_type})


def _by_place(path: Path, value: Value, place: int, event_type: EventType | None) -> list[Clue]:
    guide = builtin_shape(event_type or EventType.OPEN).fields
    if len(path) > 1 or place >= len(guide):
        return []
    known = guide[place]
    if known.source != "documented" or type(known.example) is not type(value) or not fits(known.role, value):
        return []
    if known.role in _IDS and alphabets_of(value, identity=False, named=True) is None:
        return []
    if known.role is Role.NETWORK_ADDRESS or known.role is Role.TYPE or (isinstance(value, str) and len(value) > 60):
        return []
    if known.role is not Role.LINK and isinstance(value, str) and _URL.fullmatch(value):
        return []
    return [Clue(known.role, BY_PLACE, f"at the place of {known.name} in the guide's example")]


def _otherwise(path: Path, value: Value, named: tuple[NamedLike, ...], once: tuple[Clue, ...]) -> Clue:
    role, reason = _otherwise_role(path, value, named, once)
    return Clue(role, 0, reason)


def _otherwise_role(path: Path, value: Value, named: tuple[NamedLike, ...], once: tuple[Clue, ...]) -> tuple[Role, str]:
    roles = [one.role for one in named]
    kept = _kept(value)
    if kept is not None:
        return Role.OTHER, kept
    if isinstance(value, str) and _URL.fullmatch(value):
        return Role.LINK, "looks like a URL"
    if isinstance(value, str) and _is_named_link(named):
        return Role.LINK, "named like the target of a link"
    if isinstance(value, str) and _EMAIL.fullmatch(value):
        if _is_senders(path):
            return Role.OTHER, "named like the sender's address"
        if Role.MAIL in roles and _is_message_id(path):
            return Role.ID, "named like a mail's id, which another field is"
        return Role.RECIPIENT_ADDRESS, "looks like an e-mail address"
    if isinstance(value, str) and (_is_medium(path) or Role.RECIPIENT_ADDRESS in roles):
        return Role.RECIPIENT_ADDRESS, "named like a recipient's address"
    if Role.LINK in roles and isinstance(value, str):
        return Role.LINK, "named like the target of a link"
    if _is_time(path, value) or any(one.role is Role.MOMENT and one.score > BY_NUMBER for one in once):
        return Role.OTHER_MOMENT, "looks like a date or time"
    if isinstance(value, str) and address_version(value):
        return Role.OTHER, "looks like an IP address, but not the recipient's"
    return _id_or_text(path, value, roles, once)


def _id_or_text(path: Path, value: Value, roles: list[Role], once: tuple[Clue, ...]) -> tuple[Role, str]:
    demoted = next((clue for clue in once if clue.role in _IDS and clue.score > BY_PLACE), None)
    if demoted is not None:
        return Role.ID, f"{demoted.reason}, which another field is"
    if {Role.MOMENT, Role.OTHER_MOMENT} & set(roles) and isinstance(value, str):
        return Role.OTHER, "named like a time, in a format that is not known"
    if Role.OTHER in roles or isinstance(value, float):
        return Role.OTHER, "named like something that stays as it is" if roles else "a number with a fraction"
    trait = next((clue for clue in once if clue.role in TRAITS), None)
    if trait is not None:
        return Role.TEXT, f"{trait.reason}, which another field is"
    if isinstance(value, str) and Role.ENUMERATION in roles and _WORD.fullmatch(value):
        return Role.ENUMERATION, "named like a category"
    if isinstance(value, str) and Role.TEXT in roles:
        return Role.TEXT, "named like a text"
    if is_named_id(path[-1]) and _is_identifier(value) and not _is_sentence(value) and not _is_count(path, value):
        return Role.ID, "named like an id"
    if isinstance(value, str) and any(clue.role is Role.TYPE for clue in once):
        return Role.ENUMERATION, "a word, but not the type of the event"
    if _is_sentence(value):
        return Role.TEXT, "looks like free text"
    if isinstance(value, str | int) and not roles and alphabets_of(value, identity=False) is not None:
        return Role.ID, "looks like an id"
    return Role.OTHER, "nothing says what it is"


def _kept(value: Value) -> str | None:
    """Return why a value stays as it is whatever its name, or None."""
    match value:
        case None:
            return "null in every captured event"
        case bool():
            return "true or false"
        case list():
            return "a list, which stays as it is"
        case dict():
            return "an object without fields"
        case str() if not value.strip():
            return "empty in the captured event"
        case _:
            return None


def _is_identifier(value: Value) -> bool:
    return (isinstance(value, str) and bool(value.strip())) or (isinstance(value, int) and not isinstance(value, bool))


def _is_time(path: Path, value: Value) -> bool:
    """Return whether the name or the format says that a value is a time."""
    named = bool(TIME_WORDS & set(words_of(path[-1]))) or moment_of(path[-1], value) is not None
    return named and is_writable(value)


def _is_count(path: Path, value: str | int) -> bool:
    """Return whether a field with the name of a number or key has too few digits for an id."""
    return words_of(path[-1])[-1] in NUMBER_ENDINGS and alphabets_of(value, identity=False, named=True) is None


def _is_sentence(value: Value) -> bool:
    return isinstance(value, str) and (" " in value.strip() or not value.isascii())


def _is_message_id(path: Path) -> bool:
    """Return whether a mail's id in the form of an e-mail address (RFC 5322) is likely under this name."""
    return "".join(words_of(path[-1])).endswith(("messageid", "msgid", "smtpid", "mid"))


def _is_senders(path: Path) -> bool:
    name = "".join(words_of(path[-1]))
    return name in AMOUNTS_AND_SENDERS or bool(set(words_of(path[-1])) & {"from", "sender", "reply", "absender"})


def _is_recipients(path: Path, value: str, named: tuple[NamedLike, ...]) -> bool:
    """Return whether the value is an e-mail address that may be the recipient's."""
    is_link = bool(_URL.fullmatch(value)) or _is_named_link(named)
    return bool(_EMAIL.fullmatch(value)) and not is_link and not _is_medium(path) and not _is_senders(path)


def _is_named_link(named: tuple[NamedLike, ...]) -> bool:
    """Return whether the name is one of a link and of nothing else: a `destination` may be a recipient as well."""
    return any(one.role is Role.LINK and one.score >= NAME_SCORE for one in named)


def _is_medium(path: Path) -> bool:
    """Return whether the field is a medium in an object with an address for each medium."""
    if len(path) < 2 or "".join(words_of(path[-1])) not in MEDIA:
        return False
    around = words_of(path[-2])
    return bool(set(around) & MEDIA_OBJECTS) and not set(around) <= ENVELOPES


def _distance(path: Path) -> int:
    """Return what it costs that a type or time is in an object, and more in one about something else."""
    around = {word for name in path[:-1] for word in words_of(name)}
    about_else = around & ENTITIES
    own = around & ENVELOPES
    return 30 * bool(about_else and not own) + 15 * bool(about_else) + 2 * (len(path) - 1)
