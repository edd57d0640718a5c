"""Pseudonyms: nobody who is in what goes in is in what comes out, and equal people stay equal."""

from __future__ import annotations

import base64
import collections
import json
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counting import calls_of
from mockcampaign.events import read_sample
from mockcampaign.model import Responded
from mockcampaign.pseudonyms import Json, Pseudonyms, UnreadableError, without_persons
from mockcampaign.pseudonyms.persons import DEPTH_MAX
from mockcampaign.recording.recorder import NotRecordedError, Recorder
from mockcampaign.strategies import Event, wild_batches

NOW = 1_750_000_000_000


def replaced(value: Any, name: str = "value") -> Any:
    return Pseudonyms().event({name: value})[name]


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


# What stays


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("type", "open"), ("type", "OPENED"), ("bounceType", "hardbounce"), ("mediaType", "text/html")),
        *(("status", "unsubscribed"), ("optin_status", "confirmed"), ("country", "DE"), ("language", "de-DE")),
        *(("device", "desktop"), ("operatingSystem", "Windows 10"), ("browser", "Firefox 64.1"), ("os", "iOS")),
        ("userAgent", "Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0"),
        ("userAgent", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_3 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148"),
        *(("device", "SM-G991B"), ("os", "Windows 10.0.19045"), ("timezone", "UTC"), ("category", "hardBounce")),
        *(("clientId", 123_456_789_001), ("mailingId", "summer-2024"), ("userListId", 2**63 - 1), ("campaignId", 7)),
        *(("created", 1_564_590_054_000), ("created", "1564590054"), ("sentAt", 1_564_590_054), ("created", 5_000_000)),
        *(("x", "2019-07-31T16:20:54.123Z"), ("date", "2019-07-31"), ("time", "10:11:12")),
        *(
            ("x", None),
            ("x", True),
            ("x", 999),
            ("x", -999),
            ("count", 9_999_999),
            ("rate", 0.25),
            ("x", ""),
            ("x", "0"),
        ),
        *(("x", " - /"), ("x", []), ("x", {})),
        *(("remoteAddress", "0.0.0.0"), ("remoteAddress", "::1"), ("linkUrl", "https://www.example.com/offer")),
    ],
)
def test_what_is_known_to_be_harmless_stays(name: str, value: Any) -> None:
    assert replaced(value, name) == value


@pytest.mark.parametrize(
    ("name", "value", "pattern"),
    [
        ("type", "Jane Doe", r"[A-Z][a-z]{3} [A-Z][a-z]{2}"),
        ("status", "jane@corp.test", r"[a-z]{4}@recipient\.example"),
        ("status", "c4711", r"[a-z]\d{4}"),
        ("type", "a" * 33, r"[a-z]{33}"),
        ("device", "Jane's iPhone", r"[A-Z][a-z]{3}'s iPhone"),
        ("device", "Erikas iPhone 14", r"[A-Z][a-z]{5} iPhone 14"),
        ("category", "Erika-Mustermann", r"[A-Z][a-z]{4}-[A-Z][a-z]{9}"),
        ("category", "hard.Erika", r"hard\.[A-Z][a-z]{4}"),
        ("category", "erika77", r"[a-z]{5}\d\d"),
        ("category", "Wu", r"[A-Z][a-z]"),
        ("status", "ErikaOpened", r"[A-Z][a-z]{4}[A-Z][a-z]{5}"),
        ("userAgent", "Erika/5.0 (X11; Linux)", r"[A-Z][a-z]{4}/5\.0 \(X11; Linux\)"),
        ("userAgent", "gQsh/5.0 (+49 151 10000000; Linux)", r"(?!.*151 1000).*\+\d\d \d{3} \d{8}.*"),
        ("device", "iPhone 0151 12345678", r"\w{6} 0\d{3} \d{8}"),
        ("os", "Mustermann OS 12", r"[A-Z][a-z]{9} OS 12"),
        ("browser", "0151234567", r"0\d{9}"),
        ("userAgent", "bot (jane@corp.test)", r"[a-z]{3} \([a-z]{4}@recipient\.example\)"),
        ("clientId", "jane@corp.test", r"[a-z]{4}@recipient\.example"),
        ("birthDate", "2005-03-04", r"19\d\d-0\d-1\d"),
        ("x", "2005-03-04", r"19\d\d-0\d-1\d"),
        ("sentAt", "99999999999999999", r"\d{17}"),
        ("created", "4711", r"\d{4}"),
        ("count", 10_000_000, r"\d{8}"),
        ("x", 1_000, r"[1-9]\d{3}"),
        ("recipientId", 7, r"[1-9]"),
        ("customerNo", -12, r"-[1-9]\d"),
        ("x", 52.5200066, r"\d\d\.\d{1,7}"),
        ("SMS", "+49 151 2345678", r"\+\d\d \d{3} \d{7}"),
        (
            "LETTER",
            "Jane Doe\nHauptstraße 12\n10115 Köln",
            r"[A-Z]\w{3} [A-Z]\w{2}\n[A-Z]\w{10} \d\d\n[1-9]\d{4} [A-Z]\w{3}",
        ),
        ("name", "山田 太郎", r"\w\w \w\w"),
        ("mailId", "3IHQ2XT8-38PY7WFQ-XKNQSY", r"\d[A-Z]{3}\d[A-Z]{2}\d-\d\d[A-Z]{2}\d[A-Z]{3}-[A-Z]{6}"),
        ("token", "9f86d081884c7d659a2feaa0c55ad015", r"[0-9a-f]{32}"),
        ("token", "aB3dE9:APA91_x-y", r"[a-z][A-Z]\d[a-z][A-Z]\d:[A-Z]{3}\d\d_[a-z]-[a-z]"),
    ],
)
def test_everything_else_is_replaced_in_its_format(name: str, value: Any, pattern: str) -> None:
    found = replaced(value, name)
    assert type(found) is type(value)
    assert re.fullmatch(pattern, str(found))
    assert found != value


@pytest.mark.parametrize("name", ["jane.doe@corp.test", "Jane Doe", "+49 151 234", "c123456", "x" * 65, "a\ud800"])
def test_a_value_in_the_place_of_a_name_is_replaced(name: str) -> None:
    assert name not in Pseudonyms().event({name: 1})


@pytest.mark.parametrize("name", ["EMAIL", "first_name", "größe", "a.b", "utm:x", "x[0]", "c12345", "x" * 64])
def test_names_of_fields_stay(name: str) -> None:
    assert list(Pseudonyms().event({name: "Jane"})) == [name]


def test_kept_fields_stay_by_name_or_dotted_path_with_all_that_is_in_them() -> None:
    event = {"a": {"b": [{"c": "Jane"}], "c": "Jane"}, "c": "Jane", "d": ["Jane", {"e": "Jane"}]}
    found = Pseudonyms(keep=["a.b.c", "d"]).event(event)
    assert found == {"a": {"b": [{"c": "Jane"}], "c": found["c"]}, "c": found["c"], "d": event["d"]}
    assert found["c"] != "Jane"
    assert Pseudonyms(keep=["c"]).event(event)["a"] == event["a"]


# Addresses and numbers


def test_network_addresses_go_to_networks_of_nobody_and_never_collide() -> None:
    names = Pseudonyms()
    many = [names.value(f"84.{number // 250}.{number % 250}.1") for number in range(1_000)]
    assert many[:2] == ["192.0.2.1", "192.0.2.2"]
    assert many[253:255] == ["192.0.2.254", "198.51.100.1"]
    assert many[762] == "198.18.0.1"  # all addresses for documentation are used up
    assert len(set(many)) == 1_000
    assert [names.value(one) for one in ("2a00::1", "2A00:0::1", "[2a00::2]:80")] == [
        "2001:db8::1",
        "2001:db8::1",
        "[2001:db8::2]:32",
    ]


@pytest.mark.parametrize("value", [1_000, 10**18, 2**63 - 1, -(2**63), 2**64 - 1, 10**30, 10**1_000])
def test_numbers_keep_their_digits_and_fit_where_they_fitted(value: int) -> None:
    found = replaced(value)
    assert len(str(found)) == len(str(value))
    assert (-(2**63) <= found < 2**63) == (-(2**63) <= value < 2**63)
    assert (found < 2**64) == (value < 2**64)


def test_a_number_is_the_same_as_a_text() -> None:
    found = Pseudonyms().event(
        {"recipientId": 47110815, "x": "47110815", "l": "https://x.test/?c=47110815", "f": 47110815.0}
    )
    assert len({str(found["recipientId"]), found["x"], found["l"].rpartition("=")[2], str(found["f"])[:-2]}) == 1


def test_uuids_keep_version_and_variant() -> None:
    value = "3F2504E0-4F89-41D3-9A0C-0305E82C3301"
    assert UUID(replaced(value)).version == 4
    assert UUID(replaced(value)).variant == UUID(value).variant
    assert replaced(value).isupper()


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    st.lists(
        st.from_regex(r"[a-zA-Z0-9]{1,2}|[a-z]{3}|[0-9]{1,3}|[äßÉ山ǅK]{1,3}", fullmatch=True), unique=True, max_size=300
    )
)
def test_different_words_never_collide_however_short(words: list[str]) -> None:
    names = Pseudonyms()
    found = [names.value(word) for word in words]
    assert len(set(map(str, found))) == len(words)
    assert all(name != word for name, word in zip(found, words, strict=True) if word.strip("0"))


def test_short_formats_grow_when_they_are_used_up() -> None:
    names = Pseudonyms()
    emails = [names.value(f"a@{number}.test") for number in range(60)]
    assert len(set(emails)) == 60
    assert {len(str(one).partition("@")[0]) for one in emails} == {1, 2}
    assert len({names.value(float(f"0.{number}1")) for number in range(60)}) == 60


# Equal people


SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "upper case": str.upper,
    "percent-encoded": lambda text: quote(text, safe=""),
    "every byte percent-encoded": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    "percent-encoded twice": lambda text: quote(quote(text, safe=""), safe=""),
    "base64": b64,
    "base64 without padding": lambda text: b64(text).rstrip("="),
    "URL-safe base64": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "base64 twice": lambda text: b64(b64(text)),
    "base64, percent-encoded": lambda text: quote(b64(text), safe=""),
    "hexadecimal": lambda text: text.encode().hex(),
    "upper-case hexadecimal": lambda text: text.encode().hex().upper(),
    "JSON": lambda text: json.dumps({"to": [text]}),
    "JSON in base64": lambda text: b64(json.dumps({"to": text})),
    "in a sentence": lambda text: f"Dear <{text}>, hello.",
    "mailto": lambda text: f"mailto:{text}",
    "link in a link": lambda text: "https://x.test/?u=" + quote(f"https://y.test/?e={quote(text, safe='')}", safe=""),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_an_address_is_the_same_in_every_spelling(spelling: str) -> None:
    names = Pseudonyms()
    known = names.event({"recipientId": "jane.doe@corp.test"})["recipientId"]
    assert known == "vdxh.vaa@recipient.example"
    spelled = SPELLINGS[spelling]("jane.doe@corp.test")
    wanted = SPELLINGS[spelling](known).removeprefix("https://x.test/?").removeprefix("Dear ").removesuffix(", hello.")
    if "upper" in spelling and "hex" not in spelling:
        wanted = known  # an address has no case
    for place in ("{}", "https://x.test/?q={}&r=1", "https://x.test/#{}"):
        if "://" in place and (" " in spelled or spelled.startswith(("https:", "mailto"))):
            continue
        found = str(names.value(place.format(spelled)))
        shown = urlsplit(found).query or urlsplit(found).fragment or found
        if "bytes" in spelling or "byte" in spelling:
            assert unquote(shown).find(known) >= 0
        elif spelled.rstrip("=") != spelled or "base64" in spelling:
            assert wanted.rstrip("=").rstrip("%3D") in shown
        else:
            assert wanted in shown


def test_a_plus_address_is_the_same_person_with_another_tag() -> None:
    names = Pseudonyms()
    plain, news, shop = (str(names.value(f"jane.doe{tag}@corp.test")) for tag in ("", "+news", "+shop"))
    assert re.fullmatch(r"vdxh\.vaa\+[a-z]{4}@recipient\.example", news)
    assert plain == "vdxh.vaa@recipient.example"
    assert news != shop
    assert names.value("https://x.test/?e=jane.doe%2Bnews%40corp.test") == ("https://x.test/?e=" + quote(news, safe=""))


def test_equal_recordings_have_equal_pseudonyms_and_events_of_one_mail_share_its_id() -> None:
    events = [{"mailId": f"3IHQ2XT8-38PY7WFQ-XKNQS{letter}", "recipientId": letter * 5} for letter in "ABA"]
    first, second = without_persons(events), without_persons(events)
    assert first == second
    assert first[0] == first[2] != first[1]


# Links


@pytest.mark.parametrize(
    ("link", "pattern"),
    [
        ("https://shop.test/offer.html", r"https://shop\.test/offer\.html"),
        (
            "https://shop.test:8443/u/jane?id=4711&x#jane",
            r"https://shop\.test:8443/[a-z]/[a-z]{4}\?id=\d{4}&[a-z]#[a-z]{4}",
        ),
        ("https://jane:pw1@shop.test/", r"https://[a-z]{4}:[a-z]{2}\d@shop\.test/"),
        ("https://jane%40corp.test:pw@shop.test/", r"https://[a-z]{4}%40recipient\.example:[a-z]{2}@shop\.test/"),
        ("https://[2a00::1]:8080/?a", r"https://\[2a00::1\]:8080/\?[a-z]"),
        ("HTTPS://SHOP.TEST/?E=Jane", r"HTTPS://SHOP\.TEST/\?E=[A-Z][a-z]{3}"),
        (
            "https://shop.test/?n=Jane+Doe&c=J%C3%A4n",
            r"https://shop\.test/\?n=[A-Z]\w{3}\+[A-Z]\w\w&c=[A-Z]%C3%\w\w[a-z]",
        ),
        ("https://shop.test/?n=J%E4n", r"https://shop\.test/\?n=[A-Z]%C3%\w\w[a-z]"),
        ("https://shop.test/?jane%40corp.test=1", r"https://shop\.test/\?[a-z]{4}%40recipient\.example=\d"),
        ("https://ho st", r"https://ho [a-z]{2}"),
        ("https://[::1", r"https://\[::\d"),
        ("https://", "https://"),
        ("https://shop.test/%", r"https://shop\.test/%"),
        ("https://shop.test/%4", r"https://shop\.test/%\d"),
        ("tel:+49151234567", r"tel:\+\d{11}"),
        (
            "mailto:jane@corp.test?subject=Hi%20Jane",
            r"mailto:[a-z]{4}@recipient\.example\?subject=[A-Z][a-z]%20[A-Z]\w{3}",
        ),
        ("see(https://shop.test/?e=jane),ok", r"[a-z]{3}\(https://shop\.test/\?e=[a-z]{4}\),[a-z]{2}"),
    ],
)
def test_links_keep_host_plain_words_and_names_of_parameters(link: str, pattern: str) -> None:
    assert re.fullmatch(pattern, replaced(link))


def test_the_path_of_a_request_and_headers() -> None:
    names = Pseudonyms(keep=["x-kept"])
    assert re.fullmatch(r"/hook/v1/[a-z]{4}\?type=\w{4}", names.path("/hook/v1/jane?type=open"))
    headers = (("Content-Type", "text/html"), ("X-User", "Jane Doe"), ("X-Kept", "Jane"), ("Server", "x jane@y.test"))
    found = dict(names.headers(headers))
    assert (found["Content-Type"], found["X-Kept"]) == ("text/html", "Jane")
    assert re.fullmatch(r"[A-Z][a-z]{3} [A-Z][a-z]{2}", found["X-User"])
    assert re.fullmatch(r"x [a-z]{4}@recipient\.example", found["Server"])


def test_sentences_of_a_consumer_name_nobody_and_stay_readable_otherwise() -> None:
    names = Pseudonyms()
    person = names.event({"first": "Jane", "street": "Hauptstr. 12", "ok": "ok"})
    said = names.text(
        "503 ok: Jane of HAUPTSTR. 12 unknown, call 0151/23 45-67 in 30 s, key 3a5bc7d9, id 4711, x@y.test"
    )
    first, street = person["first"], person["street"].split(".")[0].upper()
    pattern = (
        rf"503 ok: {first} of {street}\. 12 unknown, call 0\d{{3}}/\d\d \d\d-\d\d in 30 s, key (\w{{8}}), id \d{{4}}, "
        r"[a-z]@recipient\.example"
    )
    match = re.fullmatch(pattern, said)
    assert match is not None
    assert "0151/23 45-67" not in said
    assert match[1] != "3a5bc7d9"


# Any JSON


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.text('ab1@.:/%4 +=&?#{}[]"<-_\ud800Äß山').map(lambda text: text * 2),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(JSON)
def test_any_json_keeps_its_shape_and_can_be_encoded(value: Json) -> None:
    found = Pseudonyms().value(value)
    assert _shape(found) == _shape(value)
    assert repr(found) == repr(Pseudonyms().value(value))
    json.dumps(found, ensure_ascii=False).encode()


def _shape(value: Json) -> Any:
    if isinstance(value, dict):
        return [_shape(one) for one in value.values()]
    return [_shape(one) for one in value] if isinstance(value, list) else type(value)


def test_depth_and_size_have_one_documented_limit() -> None:
    def nested(depth: int) -> Any:
        value: Any = "Jane"
        for _ in range(depth):
            value = [value]
        return value

    assert "Jane" not in repr(Pseudonyms().value(nested(DEPTH_MAX)))
    for depth in (DEPTH_MAX + 1, 1_000, 100_000):
        with pytest.raises(UnreadableError, match="nested deeper than 200 levels, which is the limit"):
            Pseudonyms().value(nested(depth))
    with pytest.raises(UnreadableError, match="an integer of more than 10000 bits, which is the limit"):
        Pseudonyms().value(10**5_000)
    text = json.dumps(nested(500))
    assert "Jane" not in str(Pseudonyms().value(text))


HOSTILE = (
    *("a", "aA", "A1", "@", "a@", "a@b.", "://", "a://", "https://a/?u=", "%41", "%", "%25", "1 ", "1", "1:", "1.2.3."),
    *("-", "{", "[", '{"a":', "/", "=", "a=", "&=", "é", "\ud800", "\u0301", "mailto:", "+", '"', "<", " ", "\n", "1."),
)

USES: dict[str, Callable[[str], object]] = {
    "value": lambda text: Pseudonyms().value(text),
    "text": lambda text: Pseudonyms().text(text),
    "path": lambda text: Pseudonyms().path(text),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("unit", HOSTILE)
def test_the_work_grows_with_the_length(unit: str, use: str) -> None:
    """Counted in calls of functions; `test_long_texts_end` shows that no pattern backtracks without limit."""
    short, long = calls_of(lambda: USES[use](unit * 200)), calls_of(lambda: USES[use](unit * 400))
    assert long <= 2.2 * short + 1_000


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("unit", HOSTILE)
def test_long_texts_end(unit: str, use: str) -> None:
    """Each takes seconds at most; a quadratic pattern would take hours."""
    for before in ("", "https://x.test/?q="):
        USES[use](before + unit * (100_000 // len(unit)))


# Samples


@settings(max_examples=15, deadline=None, derandomize=True)
@given(wild_batches(type="click", max_size=10))
def test_what_is_clean_keeps_its_formats_when_it_is_cleaned_again(batch: list[Event]) -> None:
    once = without_persons(batch)
    twice = without_persons(once)
    for before, after in zip(once, twice, strict=True):
        assert _formats(before) == _formats(after)
    assert read_sample(twice, "captured").shape.examples == tuple(twice)


def _formats(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _formats(one) for name, one in value.items()}
    text = re.sub(r"\b(?:\d+\.){3}\d+\b|[0-9a-f:]+:[0-9a-f:]+", "address", str(value))
    return type(value), re.sub(r"\w", "x", re.sub(r"[\w.+-]+@", "@", text))


# Planted people


class Person(msgspec.Struct, frozen=True):
    """What is planted of somebody."""

    email: str
    first: str
    last: str
    phone: str
    street: str
    token: str
    number: int

    def texts(self) -> list[str]:
        return [self.email, self.first, self.last, self.phone, self.street, self.token, str(self.number)]


def _names(length: int) -> st.SearchStrategy[str]:
    """Return names with vowels, as people have them, and none that is the name of something else in a journal."""
    return st.lists(
        st.sampled_from(["ja", "ru", "me", "lo", "ki", "be", "ou", "zö"]), min_size=length, max_size=length
    ).map(lambda parts: "".join(parts).capitalize())


PEOPLE = st.builds(
    lambda first, last, host, digits, house, token, number: Person(
        f"{first}.{last}@{host}-corp.de".lower().replace("ö", "o"),
        first,
        last,
        f"+49 151 {digits}",
        f"{last}gasse {house}",
        token,
        number,
    ),
    _names(3),
    _names(4),
    _names(2).map(lambda name: name.replace("ö", "o")),
    st.integers(10**7, 10**8 - 1),
    st.integers(1, 99),
    st.text("ABCDEFGHabcdefgh0123456789_-", min_size=24, max_size=40).map(lambda text: f"fQ3_{text}"),
    st.integers(10**9, 10**12),
)

Place = Callable[[dict[str, Any], Person, str], None]


def _link(event: dict[str, Any], name: str, link: str) -> None:
    event.setdefault("links", {})[name] = link


def _set(name: str, make: Callable[[Person, str], Any]) -> Place:
    return lambda event, person, text: event.__setitem__(name, make(person, text))


PLACES: dict[str, Place] = {
    "top-level text": _set("recipientId", lambda person, text: person.email),
    "unknown field": _set("attribute7", lambda person, text: text),
    "sentence": _set("note", lambda person, text: f"Hello {text}, bye"),
    "media object": _set(
        "mediaTypesToAddresses",
        lambda person, text: {
            "EMAIL": person.email,
            "SMS": person.phone,
            "LETTER": f"{person.first} {person.last}\n{person.street}",
            "PUSH": [person.token],
        },
    ),
    "list": _set("values", lambda person, text: [text, [text, {"deep": text}]]),
    "upper case": _set("mail", lambda person, text: person.email.upper()),
    "integer field": _set("customer", lambda person, text: person.number),
    "name of a field": lambda event, person, text: event.__setitem__(person.email, 1),
    "device": _set("device", lambda person, text: f"{person.first}s iPhone 14"),
    "browser": _set("browser", lambda person, text: text),
    "user agent": _set("userAgent", lambda person, text: f"{person.last}App/5.0 ({text}; Linux)"),
    "category": _set("category", lambda person, text: f"{person.first}-{person.last}"),
    "type": _set("eventType", lambda person, text: f"{person.last}.open"),
    "code field": _set("status", lambda person, text: person.email),
    "JSON in text": _set("json", lambda person, text: json.dumps({"who": {"name": text}, "n": person.number})),
    "base64": _set("encoded", lambda person, text: b64(f"{text} {text}")),
    "hexadecimal": _set("hex", lambda person, text: person.email.encode().hex()),
    "link path": lambda event, person, text: _link(event, "a", f"https://shop.test/user/{quote(text, safe='')}/offer"),
    "link query": lambda event, person, text: _link(
        event, "b", f"https://shop.test:81/?mail={quote(text, safe='')}&x=1"
    ),
    "raw query": lambda event, person, text: _link(event, "c", f"https://shop.test/x?e={person.email}&y=2"),
    "plus address": lambda event, person, text: _link(
        event, "d", "https://shop.test/?e=" + quote(person.email.replace("@", "+tag@"), safe="")
    ),
    "base64 in a query": lambda event, person, text: _link(event, "e", f"https://shop.test/?b={b64(text)}&z=1"),
    "hexadecimal in a query": lambda event, person, text: _link(
        event, "f", f"https://shop.test/?h={text.encode().hex()}"
    ),
    "fragment": lambda event, person, text: _link(event, "g", f"https://shop.test/#{quote(text, safe='')}"),
    "user of a link": lambda event, person, text: _link(event, "h", f"https://{quote(text, safe='')}@shop.test/"),
    "mailto": lambda event, person, text: _link(event, "i", f"mailto:{person.email}?subject={quote(text, safe='')}"),
    "link in a link": lambda event, person, text: _link(
        event, "j", "https://shop.test/?u=" + quote(f"https://x.test/?e={quote(text, safe='')}", safe="")
    ),
}


def _spellings(text: str) -> Iterator[str]:
    yield from (text, text.upper(), text.lower(), quote(text, safe=""), json.dumps(text)[1:-1])
    yield text.encode().hex()
    yield text.encode().hex().upper()
    # A text has three forms in base64, by where it begins in a longer one; their ends depend on its neighbours.
    for shift in range(3):
        encoded = b64(" " * shift + text)[4 if shift else 0 :].rstrip("=")[:-1]
        if len(encoded) >= 8:
            yield encoded


@settings(max_examples=8, deadline=None, derandomize=True)
@given(data=st.data())
def test_nobody_who_is_planted_anywhere_is_in_any_output(data: st.DataObject) -> None:
    _plant_and_search(data)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_nobody_who_is_planted_in_a_thousand_events_is_in_any_output(data: st.DataObject) -> None:
    _plant_and_search(data)


def _plant_and_search(data: st.DataObject) -> None:
    """Plant people in ten events and what comes with them, and search all that comes of these."""
    people = data.draw(st.lists(PEOPLE, min_size=1, max_size=3))
    said: list[str] = []
    events: list[dict[str, Any]] = []
    planted: list[tuple[Person, list[str]]] = []
    for number in range(10):
        person = data.draw(st.sampled_from(people))
        text = data.draw(st.sampled_from(person.texts()))
        places = data.draw(st.lists(st.sampled_from(list(PLACES)), min_size=1, max_size=6, unique=True))
        event: dict[str, Any] = {"type": "open", "clientId": 5, "created": NOW - number}
        for place in places:
            PLACES[place](event, person, text)
        events.append(event)
        planted.append((person, places))
    recorder = Recorder("http://consumer", now=NOW)
    chosen = people[0]
    echo = json.dumps({"error": chosen.texts()}) if data.draw(st.booleans()) else " ".join(chosen.texts())
    # A consumer cannot know more than it was sent; in a sentence, other names look like any word.
    if not echo.startswith("{"):
        events.append({"type": "open", "who": chosen.texts()})
    response = Responded(400, (("x-user", chosen.first), ("location", f"/u/{chosen.email}")), echo.encode(), len(echo))
    path = f"/hook/{quote(chosen.email, safe='')}"
    headers = (("x-recipient", chosen.email), ("authorization", f"Bearer {chosen.token}"))
    recorder.complete(recorder.begin(path, headers, msgspec.json.encode(events), NOW), response, NOW)
    captured = [{**events[0], "type": chosen.email}]
    recorder.complete(recorder.begin(path, headers, msgspec.json.encode(captured), NOW), response, NOW)
    try:
        recorder.begin(path, headers, chosen.email.encode(), NOW)
    except NotRecordedError as error:
        said.append(str(error))
    cleaned = without_persons(events)
    lines = recorder.journal.to_json_lines().decode()
    bodies = [entry.outcome.body.decode() for entry in recorder.journal.entries if hasattr(entry, "outcome")]
    output = "\n".join([lines, json.dumps(cleaned, ensure_ascii=False), json.dumps(cleaned), *bodies, *said])
    for person in people:
        for original in person.texts():
            for spelling in _spellings(original):
                assert spelling not in output
    _assert_equal_people_are_equal(planted, cleaned)
    for before, after in zip(events, cleaned, strict=True):
        for name, link in before.get("links", {}).items():
            one, other = urlsplit(link), urlsplit(after["links"][name])
            assert (one.scheme, one.hostname, one.port) == (other.scheme, other.hostname, other.port)
            assert [key for key, _ in parse_qsl(one.query)] == [key for key, _ in parse_qsl(other.query)]


def _parameters(event: dict[str, Any], name: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(event["links"][name]).query))


SEEN: dict[str, Callable[[dict[str, Any]], str]] = {
    "top-level text": lambda event: event["recipientId"],
    "upper case": lambda event: event["mail"],
    "media object": lambda event: event["mediaTypesToAddresses"]["EMAIL"],
    "code field": lambda event: event["status"],
    "hexadecimal": lambda event: bytes.fromhex(event["hex"]).decode(),
    "raw query": lambda event: _parameters(event, "c")["e"],
    "plus address": lambda event: re.sub(r"\+\w+@", "@", _parameters(event, "d")["e"]),
    "mailto": lambda event: urlsplit(event["links"]["i"]).path,
    "name of a field": lambda event: next(name for name in event if "@" in name),
}
"""Where the address of a person is in the clean event, by the place where it was planted."""


def _assert_equal_people_are_equal(planted: list[tuple[Person, list[str]]], cleaned: list[dict[str, Any]]) -> None:
    """Compare the pseudonyms of each person's address, wherever it is."""
    found: dict[str, set[str]] = collections.defaultdict(set)
    for (person, places), event in zip(planted, cleaned, strict=False):
        found[person.email] |= {SEEN[place](event) for place in places if place in SEEN}
    assert all(len(names) <= 1 for names in found.values()), found
    names = [name for [name] in filter(None, map(list, found.values()))]
    assert len(set(names)) == len(names)
