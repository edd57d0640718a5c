"""JSON text with lone surrogates."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockcampaign import json_text
from mockcampaign.json_text import NESTING_MAX

TEXTS = st.text(st.characters(exclude_categories=()) | st.sampled_from("\ud83d\ude00\\u"))


@given(st.recursive(TEXTS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner)))
def test_what_is_written_is_read_with_replacements_for_lone_surrogates(value: object) -> None:
    expected = json.loads(json.dumps(value))  # which joins halves that are neighbours
    written = json_text.encode(value)
    assert json.loads(written) == expected
    read = json_text.decode(written)
    msgspec.json.encode(read)  # which no lone surrogate survives
    assert read == json.loads(re.sub("[\ud800-\udfff]", "\ufffd", json.dumps(expected, ensure_ascii=False)))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (rb'"a\ud83db"', "a\ufffdb"),
        (rb'"a\uDE00"', "a\ufffd"),
        (rb'"\ud83d\ude00"', "\U0001f600"),
        (rb'"\ud83d\ud83d\ude00"', "\ufffd\U0001f600"),
        (rb'"\\ud83d"', "\\ud83d"),
        (rb'"\\\ud83d"', "\\\ufffd"),
        (rb'{"\ud83d":[1]}', {"\ufffd": [1]}),
    ],
)
def test_escapes_of_lone_surrogates_are_replaced(text: bytes, value: object) -> None:
    assert json_text.decode(text) == value


LATIN_1 = '["Käse"]'.encode("latin-1")
DEEP = b"[" * 100_000 + b"]" * 100_000
NO_JSON = [b"", b"{", rb'"\ud83d', rb'"\x"', rb'"\u12"', LATIN_1, DEEP, rb'["\ud83d", ' + LATIN_1 + b"]"]


@pytest.mark.parametrize("text", NO_JSON, ids=lambda text: repr(text[:20]))
@pytest.mark.parametrize("decode", [json_text.decode, json_text.decode_exactly])
def test_what_is_not_json_is_an_error_of_one_kind(decode: Callable[[bytes], object], text: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(text)


@pytest.mark.parametrize("decode", [json_text.decode, json_text.decode_exactly])
@pytest.mark.parametrize(
    ("opening", "closing", "levels"),
    [(b"[", b"]", 1), (b'{"a":', b"}", 1), (b'[0,{"a":', b"},[]]", 2)],
    ids=["arrays", "objects", "both"],
)
def test_no_python_reads_more_levels_than_another(
    opening: bytes, closing: bytes, levels: int, decode: Callable[[bytes], object]
) -> None:
    def nested(times: int) -> bytes:
        return opening * times + b"1" + closing * times

    most = NESTING_MAX // levels
    assert decode(nested(most)) == json.loads(nested(most))
    for times in (most + 1, 1_200, 9_000, 20_000):
        with pytest.raises(msgspec.DecodeError, match=r"^it is nested too deeply$"):
            decode(nested(times))


def test_many_brackets_are_not_deep() -> None:
    events = [{"a": [{}, []], "b": "[" * 600}] * 600
    assert json_text.decode(json_text.encode(events)) == events


def test_fields_are_sorted_if_that_is_asked_for() -> None:
    assert json_text.encode({"b": "\ud83d", "a": 1}, order="sorted") == rb'{"a":1,"b":"\ud83d"}'
    assert json_text.encode({"b": "x", "a": 1}, order="sorted") == b'{"a":1,"b":"x"}'
