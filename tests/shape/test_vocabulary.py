"""Names are compared without case, accents and separators, and the longest known ending counts."""

from __future__ import annotations

import pytest

from mockcampaign.shape.field import Role
from mockcampaign.shape.vocabulary import EVENT_WORDS, ROLE_NAMES, is_named_id, named_like, words_of


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mailingId", "mailing id"),
        ("MailingID", "mailing id"),
        ("mailing_id", "mailing id"),
        ("MAILING-ID", "mailing id"),
        ("Mailing Id", "mailing id"),
        ("SendURLID", "send urlid"),
        ("URLId", "url id"),
        ("sha256Hash", "sha 256 hash"),
        ("EmpfängerGröße", "empfaenger groesse"),
        ("café", "cafe"),
        ("日付", ""),
        ("", ""),
    ],
)
def test_words_of_a_name(name: str, words: str) -> None:
    assert words_of(name) == tuple(words.split())


@pytest.mark.parametrize(
    ("path", "role"),
    [
        (("mailing_list_id",), Role.RECIPIENT_LIST),
        (("mailing", "id"), Role.MAILING),
        (("mailing", "list", "id"), Role.RECIPIENT_LIST),
        (("Kontakt", "Nr"), Role.RECIPIENT),
        (("phone_number",), Role.RECIPIENT_ADDRESS),
        (("x", "id"), Role.ID),
    ],
)
def test_the_longest_known_ending_counts(path: tuple[str, ...], role: Role) -> None:
    assert named_like(path)[0].role is role


def test_words_in_front_make_a_name_less_sure() -> None:
    assert named_like(("mailing_id",))[0].score > named_like(("x_mailing_id",))[0].score
    assert named_like(("nothing",)) == named_like(("日付",)) == ()


@pytest.mark.parametrize(("name", "named"), [("orderid", True), ("order_no", True), ("paid", False), ("idea", False)])
def test_names_of_ids(name: str, named: bool) -> None:
    assert is_named_id(name) is named


def test_no_word_stands_for_two_types_and_every_entry_is_in_its_plain_form() -> None:
    words = [word for line in EVENT_WORDS.values() for word in line.split()]
    assert len(words) == len(set(words))
    names = [name for tiers in ROLE_NAMES.values() for tier in tiers for name in tier.split()]
    assert [one for one in (*words, *names) if "".join(words_of(one)) != one] == []
