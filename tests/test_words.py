"""What people read uses the glossary's words, and docstrings stand alone in an editor."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import mockcampaign
from mockcampaign.check.rules import CATALOGUE, FAMILIES
from mockcampaign.judging.journal_rules import JOURNAL_RULES
from mockcampaign.samples.bugs import BUGS
from places import DOCUMENTATION, ROOT
from wording import (
    BANNED,
    LEANING,
    NAMES,
    Text,
    banned_names,
    banned_words,
    comments,
    docstrings,
    leaning_docstrings,
    literals,
    prose,
)

PACKAGE = Path(mockcampaign.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
PAGES = sorted(
    path
    for kind in ("html", "jinja", "js")
    for path in PACKAGE.rglob(f"*.{kind}")
    if not {"vendor", "assets"} & {*path.relative_to(PACKAGE).parts}
)
DOCUMENTS = (
    *DOCUMENTATION,
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "tests/README.md",
    "scenarios/README.md",
)


def module_texts() -> Iterator[Text]:
    """Find the prose in string literals, docstrings and comments, which holds every text that the package shows."""
    for path in MODULES:
        source, place = path.read_text(), place_of(path)
        for line, text in (*literals(source), *docstrings(source), *comments(source)):
            yield Text(place, line, text)


def place_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def ids() -> Iterator[Text]:
    """Read the ids of rules, families and sample bugs as sentences."""
    named = {
        "a rule's id": [*(rule.id for rule in CATALOGUE), *(rule.id for rule in JOURNAL_RULES)],
        "a family's name": FAMILIES,
        "a bug's id": BUGS,
    }
    for place, found in named.items():
        yield from (Text(place, 1, one.replace("-", " ")) for one in found)


def expect_none(found: Iterator[str]) -> None:
    """Fail with a line for each violation, all of them."""
    lines = list(found)
    assert not lines, "\n".join(["", *lines])


@pytest.mark.slow
def test_modules_use_the_words_of_the_glossary() -> None:
    expect_none(banned_words(module_texts()))


def test_pages_use_the_words_of_the_glossary() -> None:
    assert PAGES
    expect_none(banned_words(Text(place_of(path), 1, path.read_text()) for path in PAGES))


def test_documents_use_the_words_of_the_glossary() -> None:
    pages = (Text(name, 1, prose((ROOT / name).read_text())) for name in DOCUMENTS)
    expect_none(banned_words(pages))


def test_ids_use_the_words_of_the_glossary() -> None:
    expect_none(banned_words(ids()))


@pytest.mark.slow
def test_names_use_the_words_of_the_glossary() -> None:
    # The outcome that reports call `could-not-tell`.
    allowed = ("CouldNotTellError", "COULD_NOT_TELL")
    found = (one for path in MODULES for one in banned_names(place_of(path), path.read_text(), allowed))
    expect_none(found)


@pytest.mark.slow
def test_docstrings_stand_alone() -> None:
    found = (one for path in MODULES for one in leaning_docstrings(place_of(path), path.read_text()))
    expect_none(found)


PLANTED = {
    "Until then the batch comes again every 10 seconds.": "comes again",
    "It takes two equal events": "takes two equal events",
    "It has taken the batch": "taken the batch",
    "Takes two mails for one.": "Takes two mails for one",
    "It takes the first piece for the whole.": "takes the first piece for the whole",
    "The consumer refuses batches": "refuses",
    "a refusal": "refusal",
    "The server answered 204.": "answered",
    "Where the consumer tells what it has processed": "tells",
    "The fields that the account keeps": "account",
    "events with an oddity": "oddity",
    "one odd field": "odd field",
    "It cannot be digested.": "digested",
    "mailId names the mail, not the act": "the act",
    "Mend the outage": "Mend",
    "3 modelled attempts": "modelled",
    "Campaign is at rest.": "at rest",
    "This rule was not exercised.": "not exercised",
    "could not\n    tell": "tell",
    "It rests on another rule.": "rests on",
    "It relies on retries.": "relies on",
    "Keeps every event": "Keeps every event",
    "It doubles events.": "doubles",
    "Campaign gives up.": "gives up",
    "in one sending": "one sending",
    "The sendings are counted.": "sendings",
    "without any repetition": "repetition",
    "It says success.": "says success",
    "lists of every size": "lists of every size",
    "The events are gone.": "events are gone",
    "as events unfold": "unfold",
    "by the wall's clock": "wall's clock",
    "rules of which one is violated": "of which",
    "be it open or click": "be it",
    "Number of the attempt; the last one without it.": "one without it",
    "Limit of webhooks; 10 without it.": "10 without it",
    "It takes them for redelivered.": "takes them for redelivered",
    "It takes a number for a code.": "takes a number for a code",
    "stored otherwise than sent": "otherwise than",
    "It brings 100 events": "brings 100 events",
}
"""A sentence for each banned word, and the word."""


@pytest.mark.parametrize("sentence", PLANTED)
def test_a_banned_word_is_found_with_its_line_and_what_to_say(sentence: str) -> None:
    found = list(banned_words([Text("a.py", 7, f"First.\n{sentence}\n")]))
    word = PLANTED[sentence]
    assert any(f"{word!r}: say " in one for one in found)
    assert all(one.startswith(f"a.py:{8 + sentence.count(chr(10), 0, sentence.find(word))} says ") for one in found[:1])


def test_every_ban_has_a_planted_sentence() -> None:
    assert [ban.instead for ban in BANNED if not [*banned_words([Text("", 1, text) for text in PLANTED], [ban])]] == []


@pytest.mark.parametrize(
    "sentence",
    [
        "The connection was refused.",
        "Nobody listens: the machine refuses every connection.",
        "`kind: refused`",
        "the JSON value could-not-tell",
        "Create user accounts, and take their language into account.",
        "Use HTTP digest authentication.",
        "a scriptable test double, one of many test doubles",
        "digits beyond 2^53, as with doubles",
        "It takes effect at once, and takes 10 s.",
        "Keep the connection open.",
        "A proxy gave up waiting.",
        "three rules, each of which is examined",
        "Sending stops.",
        "a JSON list of events",
        "the latest event",
        "react to it; an actual value; at restart",
    ],
)
def test_other_senses_of_a_word_are_legitimate(sentence: str) -> None:
    assert list(banned_words([Text("a.py", 1, sentence)])) == []


@pytest.mark.parametrize(
    "source",
    [
        "class {0}Kind: pass",
        "def is_{1}(): pass",
        "async def {1}(): pass",
        "lambda {1}: 1",
        "{2} = 1",
        "for {1} in x: pass",
    ],
)
@pytest.mark.parametrize("word", NAMES)
def test_a_banned_word_in_a_name_is_found(source: str, word: str) -> None:
    [found] = banned_names("a.py", source.format(word.title(), word, word.upper()))
    assert found.startswith("a.py:1 names ")
    assert found.endswith(f": say {NAMES[word]}")


def test_other_names_are_not_found() -> None:
    source = "class CouldNotTellError: pass\ntelling = untold = account.answer\nConnectionRefused = 1\n"
    assert list(banned_names("a.py", source, ["CouldNotTellError"])) == []


@pytest.mark.parametrize("start", LEANING)
@pytest.mark.parametrize(
    ("source", "line"),
    [
        ('"""{} all."""\n', 1),
        ('class One:\n    """{} all."""\n', 2),
        ('class One:\n    at: int\n    """{} all."""\n', 3),
        ('async def one() -> None:\n    """{} all."""\n', 2),
        ('if True:\n    ONE = 1\n    """{} all."""\n', 3),
        ('if True:\n    pass\nelse:\n    ONE = 1\n    """{} all."""\n', 5),
        ('"""Sound."""\n\nONE = 1\n"""\n{} all."""\n', 4),
    ],
)
def test_a_docstring_that_leans_on_its_neighbour_is_found(start: str, source: str, line: int) -> None:
    found = list(leaning_docstrings("a.py", source.format(start)))
    assert found == [f"a.py:{line} begins with {start!r}: write a sentence that stands alone"]


def test_a_docstring_that_stands_alone_is_not_found() -> None:
    source = '"""Often seen."""\nONE = "By"\n"""Bytes of the same."""\ndef one():\n    "Whatever."\n    "x" + "Of"\n'
    assert list(leaning_docstrings("a.py", source)) == []


def test_literals_are_read_as_a_person_reads_them() -> None:
    source = (
        '"""Docstring of two words."""\n'
        'say("one text in "\n    "two lines")\n'
        "say(f'{one} of {two(\"in an f-string\")} values')\n"
        'say("word")\n'
    )
    assert list(literals(source)) == [(2, "one text in two lines"), (4, "{} of {} values"), (4, "in an f-string")]
    assert list(docstrings(source)) == [(1, "Docstring of two words.")]
    assert list(comments("one = 1  # the one\n")) == [(1, "# the one")]


def test_code_in_documents_is_not_prose() -> None:
    page = "Say `answer` or:\n\n    answer\n\n```yaml\nanswer: 1\n```\n\nanswer\n"
    assert list(banned_words([Text("README.md", 1, prose(page))])) == [
        "README.md:9 says 'answer': say respond, response"
    ]
