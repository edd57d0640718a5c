from __future__ import annotations

from pathlib import Path

import pytest

from mockcampaign.errors import InvalidInputError
from mockcampaign.model import EventType
from mockcampaign.policy import HOUR
from mockcampaign.scenario.language import Bounds
from mockcampaign.scenario.load import find_scenarios, load

GOOD = """\
name: x
consumer:
  url: http://127.0.0.1:8000/hook
  probe: {url: "http://127.0.0.1:8000/processed", events: "@"}
webhooks:
  opens: {type: open}
steps:
  - activate: opens
  - emit: {type: open, count: 3}
  - run: until-idle
  - expect:
      opens: {delivered: 3}
"""


def changed(old: str, new: str, text: str = GOOD) -> str:
    assert old in text
    return text.replace(old, new)


# What is wrong, the file, and the message after the file's name.
BROKEN: dict[str, tuple[str, str]] = {
    "empty": (
        "",
        ":1:1: the file is empty, allowed: a scenario",
    ),
    "broken yaml": (
        "name: [x\n",
        ":2:1: broken YAML: did not find expected ',' or ']'",
    ),
    "tab": (
        "name: x\n\tsteps: y\n",
        ":2:1: broken YAML: found a tab character that violates indentation",
    ),
    "tag": (
        GOOD.replace("name: x", "name: !!python/object:os.system x"),
        ":1:7: tags are not allowed, write a plain value, or quote text that begins with '!'",
    ),
    "alias": (
        GOOD.replace("{type: open}", "&a {type: open}") + "  - x: *a\n",
        ":6:10: anchors and aliases are not allowed, write the value out, or quote text that begins with '&'",
    ),
    "list top": (
        "- a\n",
        ":1:1: expected a mapping, found a list",
    ),
    "unknown key": (
        GOOD.replace("consumer:", "consumr:"),
        ":2:1: unknown key 'consumr', did you mean 'consumer'? (allowed: name, consumer, steps, webhooks, seed, start, policy)",
    ),
    "missing": (
        GOOD.replace("name: x\n", ""),
        ":1:1: key 'name' is missing",
    ),
    "dup": (
        GOOD + "name: y\n",
        ":13:1: key 'name' stands twice, first in line 1",
    ),
    "wrong type": (
        GOOD.replace("count: 3", "count: three"),
        ":9:31: expected a whole number, found text 'three'",
    ),
    "float": (
        GOOD.replace("count: 3", "count: 2.5"),
        ":9:31: expected a whole number, found a number '2.5'",
    ),
    "zero": (
        GOOD.replace("count: 3", "count: 0"),
        ":9:31: 0 is out of range, allowed: 1 to 1000000",
    ),
    "neg dur": (
        GOOD.replace("count: 3", "over: -5s"),
        ":9:30: '-5s' is not a duration, allowed: 500ms, 90s, 10m, 2h, 3d or 1d12h",
    ),
    "no unit": (
        GOOD.replace("count: 3", "over: 10"),
        ":9:30: '10' is not a duration, allowed: 500ms, 90s, 10m, 2h, 3d or 1d12h",
    ),
    "absurd": (
        GOOD.replace("count: 3", "over: 9999d"),
        ":9:30: '9999d' is too long, allowed: up to 366d",
    ),
    "type": (
        GOOD.replace("{type: open}", "{type: opne}"),
        ":6:17: unknown value 'opne', did you mean 'open'? (allowed: open, click, sent, bounce, unsubscribe, spamcomplaint, singleoptin, confirmedoptin, doubleoptin, blocklist, archive, filteredbyblocklist)",
    ),
    "step": (
        GOOD.replace("run: until-idle", "rum: until-idle"),
        ":10:5: unknown step 'rum', did you mean 'run'? (allowed: create, update, activate, deactivate, delete, emit, mailing, outage, fault, advance, run, probe, expect)",
    ),
    "run": (
        GOOD.replace("until-idle", "until-done"),
        ":10:10: unknown value 'until-done', did you mean 'until-idle'? (allowed: until-idle)",
    ),
    "two keys": (
        GOOD.replace("  - run: until-idle", "  - run: until-idle\n    advance: 5s"),
        ":11:5: expected a step, found 2 keys",
    ),
    "step str": (
        GOOD.replace("  - run: until-idle", "  - run"),
        ":10:5: expected a step, found text 'run'",
    ),
    "webhook": (
        GOOD.replace("activate: opens", "activate: open"),
        ":8:15: unknown webhook 'open', did you mean 'opens'? (allowed: opens)",
    ),
    "twice": (
        GOOD.replace("  - run: until-idle", "  - activate: opens"),
        ":10:15: cannot activate webhook 'opens' in status activated, allowed in: created, deactivated, suspended",
    ),
    "delete": (
        GOOD.replace("  - run: until-idle", "  - delete: opens"),
        ":10:13: cannot delete webhook 'opens' in status activated, allowed in: deactivated",
    ),
    "expect who": (
        GOOD.replace("      opens: {delivered", "      open: {delivered"),
        ":12:7: unknown webhook 'open', did you mean 'opens'? (allowed: opens, consumer)",
    ),
    "expect what": (
        GOOD.replace("delivered: 3", "deliverd: 3"),
        ":12:15: unknown key 'deliverd', did you mean 'delivered'? (allowed: delivered, discarded, pending, attempts, batch_events)",
    ),
    "expect text": (
        GOOD.replace("delivered: 3", "delivered: many"),
        ":12:26: expected a whole number, found text 'many'",
    ),
    "expect neg": (
        GOOD.replace("delivered: 3", "delivered: -1"),
        ":12:26: -1 is out of range, allowed: 0 to 9223372036854775807",
    ),
    "bounds": (
        GOOD.replace("delivered: 3", "delivered: {at_least: 5, at_most: 4}"),
        ":12:26: at_least 5 is above at_most 4",
    ),
    "bounds0": (
        GOOD.replace("delivered: 3", "delivered: {}"),
        ":12:26: expected at least one of the keys 'at_least' and 'at_most'",
    ),
    "nothing": (
        GOOD.replace("      opens: {delivered: 3}", "      opens: {}"),
        ":12:7: expects nothing, allowed: at least one expectation",
    ),
    "no probe": (
        GOOD.replace('  probe: {url: "http://127.0.0.1:8000/processed", events: "@"}\n', "").replace(
            "opens: {delivered: 3}", "consumer: {processed: 3}"
        ),
        ":11:7: the consumer has no `probe` that could tell what it has processed",
    ),
    "probe both": (
        GOOD.replace('events: "@"', 'events: "@", count: x'),
        ":4:10: expected exactly one of the keys 'events' and 'count'",
    ),
    "jmespath": (
        GOOD.replace('events: "@"', 'events: "a["'),
        ":4:59: 'a[' is not JMESPath: Invalid jmespath expression: Incomplete expression: \"a[\" ^",
    ),
    "count probe": (
        GOOD.replace('events: "@"', "count: n").replace("opens: {delivered: 3}", "consumer: {processed: exactly-once}"),
        ":12:29: exactly-once needs `events` in the consumer's probe; with `count`, allowed: a number",
    ),
    "url": (
        GOOD.replace("url: http://127.0.0.1:8000/hook", "url: ftp://x/"),
        ":3:8: URL 'ftp://x/' is no web address, allowed: http(s)://host[:port]/path",
    ),
    "url creds": (
        GOOD.replace("url: http://127.0.0.1:8000/hook", "url: http://me:geheim@x/"),
        ":3:8: URL 'http://…@x/' holds credentials, allowed: the webhook's authentication",
    ),
    "var": (
        GOOD.replace("url: http://127.0.0.1:8000/hook", "url: ${NOT_SET_ANYWHERE}/hook"),
        ":3:8: ${NOT_SET_ANYWHERE} has no value: set NOT_SET_ANYWHERE, or write ${NOT_SET_ANYWHERE:-default}",
    ),
    "var2": (
        GOOD.replace("url: http://127.0.0.1:8000/hook", "url: ${}/hook"),
        ":3:8: '${' without a name, allowed: ${NAME} or ${NAME:-default}",
    ),
    "secret": (
        GOOD.replace("{type: open}", "{type: open, auth: {basic: {username: u, password: 4711}}}"),
        ":6:61: expected text, found a whole number, quote it",
    ),
    "auth": (
        GOOD.replace("{type: open}", "{type: open, auth: {basik: {}}}"),
        ":6:30: unknown kind of credentials 'basik', did you mean 'basic'? (allowed: basic, key, none)",
    ),
    "like": (
        GOOD.replace("type: open, count: 3", "like: nowhere.json"),
        ":9:18: nowhere.json: cannot be read: No such file or directory",
    ),
    "emit none": (
        GOOD.replace("emit: {type: open, count: 3}", "emit: {count: 3}"),
        ":9:11: expected at least one of the keys 'type' and 'like'",
    ),
    "mailing": (
        GOOD.replace("emit: {type: open, count: 3}", "mailing: {recipients: 5000001}"),
        ":9:27: 5000001 is out of range, allowed: 1 to 5000000",
    ),
    "mailing rate": (
        GOOD.replace("emit: {type: open, count: 3}", "mailing: {recipients: 5, rates: {openings: 0.5}}"),
        ":9:38: unknown key 'openings', did you mean 'opening'? (allowed: filtered, hard_bouncing, soft_bouncing, opening, clicking, clicking_on, blocking, reopening, second_device, reloading, forwarding, unsubscribing, complaining, prefetched, scanned, in_two_lists, twins)",
    ),
    "mailing rate above 1": (
        GOOD.replace("emit: {type: open, count: 3}", "mailing: {recipients: 5, rates: {opening: 1.5}}"),
        ":9:37: rates.opening: 1.5 is out of range, allowed: 0 to 1",
    ),
    "mailing rate no number": (
        GOOD.replace("emit: {type: open, count: 3}", "mailing: {recipients: 5, rates: {opening: .nan}}"),
        ":9:47: expected a number such as 0.25, found a number '.nan'",
    ),
    "no emit": (
        GOOD.replace("  - emit: {type: open, count: 3}\n", ""),
        ":8:3: no step emits events, so there is nothing to deliver; add `emit` or `mailing`",
    ),
    "no steps": (
        GOOD[: GOOD.index("steps:")] + "steps: []\n",
        ":7:8: no steps, allowed: create, update, activate, deactivate, delete, emit, mailing, outage, fault, advance, run, probe, expect",
    ),
    "outage": (
        GOOD.replace("run: until-idle", "outage: {for: 2h, kind: rejected}"),
        ":10:29: unknown kind of outage 'rejected' (allowed: refused, unreachable, dns-failure, tls-failure, connect-timeout)",
    ),
    "outage for": (
        GOOD.replace("run: until-idle", "outage: {kind: refused}"),
        ":10:13: key 'for' is missing",
    ),
    "null": (
        GOOD.replace("name: x", "name:"),
        ":1:6: expected text, found nothing",
    ),
    "int name": (
        GOOD.replace("name: x", "name: 12"),
        ":1:7: expected text, found a whole number '12', quote it",
    ),
    "consumer name": (
        GOOD.replace("  opens: {type", "  consumer: {type").replace("activate: opens", "activate: consumer"),
        ":6:3: a webhook cannot be called 'consumer', which `expect` means otherwise",
    ),
    "limit": (
        GOOD.replace("  opens: {type: open}", "\n".join(f"  w{i}: {{type: open}}" for i in range(11)))
        .replace("activate: opens", "activate: w1")
        .replace("opens: {del", "w1: {del"),
        ":16:3: client 123456789001 has 10 webhooks, which is the limit",
    ),
    "policy": (
        GOOD + "policy: {retry_interval: 5d}\n",
        ":13:9: policy.retry_interval: 432000000 ms is not below event_age_max (259200000 ms)",
    ),
    "policy2": (
        GOOD + "policy: {batch_events_max: 101}\n",
        ":13:28: 101 is out of range, allowed: 1 to 100",
    ),
    "start": (
        GOOD + "start: yesterday\n",
        ":13:8: 'yesterday' is not a moment, allowed: a date-time with a zone like 2025-01-01T00:00:00Z",
    ),
    "seed": (
        GOOD + "seed: -1\n",
        ":13:7: -1 is out of range, allowed: 0 to 9223372036854775807",
    ),
    "deep": (
        "a: " + "[" * 50 + "]" * 50,
        ":1:33: nested deeper than 30 levels",
    ),
    "key": (
        GOOD.replace("name: x", "? [a]\n: x"),
        ":1:3: expected a plain key, found a list",
    ),
    "control": (
        GOOD.replace("name: x", 'name: "\x07"'),
        ":1:8: character U+0007, allowed: printable ones",
    ),
    "url port": (
        GOOD.replace(":8000/hook", ":99999/hook"),
        ":3:8: URL 'http://127.0.0.1:99999/hook' is broken, allowed: http(s)://host[:port]/path",
    ),
    "url blank": (
        GOOD.replace(":8000/hook", ":8000/my hook"),
        ":3:8: URL 'http://127.0.0.1:8000/my hook' holds blanks or control characters, allowed: percent-encoded ones",
    ),
    "outage kind near": (
        GOOD.replace("run: until-idle", "outage: {for: 2h, kind: refusd}"),
        ":10:29: unknown kind of outage 'refusd', did you mean 'refused'? (allowed: refused, unreachable, dns-failure, tls-failure, connect-timeout)",
    ),
    "outage for nothing": (
        GOOD.replace("run: until-idle", "outage: {for: 0s}"),
        ":10:19: '0s' is no time at all, allowed: 1ms or more",
    ),
    "advance by nothing": (
        GOOD.replace("run: until-idle", "advance: 0s"),
        ":10:14: '0s' is no time at all, allowed: 1ms or more",
    ),
    "too much time": (
        GOOD.replace("  - run: until-idle", "  - advance: 366d\n" * 101),
        ":110:14: more virtual time than a run may take, allowed: 36600d for all steps",
    ),
    "start late": (
        GOOD + "start: 3000-01-01T00:00:00Z\n",
        ":13:8: '3000-01-01T00:00:00Z' is out of range, allowed: 1970-01-01T00:00:00Z to before 3000",
    ),
    "auth is text": (
        GOOD.replace("{type: open}", "{type: open, auth: basik}"),
        ":6:29: expected a kind of credentials, found text",
    ),
    "auth is nothing like one": (
        GOOD.replace("{type: open}", "{type: open, auth: {s3cret: x}}"),
        ":6:30: unknown kind of credentials (allowed: basic, key, none)",
    ),
    "auth two kinds": (
        GOOD.replace("{type: open}", "{type: open, auth: {none: {}, basic: {}}}"),
        ":6:40: expected a kind of credentials, found 2 keys",
    ),
    "auth colon": (
        GOOD.replace("{type: open}", '{type: open, auth: {basic: {username: "a:b", password: x}}}'),
        ":6:37: username: a colon in it would end it (RFC 7617), allowed: text without colons",
    ),
    "auth header name": (
        GOOD.replace("{type: open}", "{type: open, auth: {key: {key: X Token, passphrase: x}}}"),
        ":6:35: header name 'X Token' cannot be sent, allowed: ASCII letters, digits, !#$%&'*+.^_`|~-",
    ),
    "auth header value": (
        GOOD.replace("{type: open}", '{type: open, auth: {key: {key: X, passphrase: "s3\\ncret"}}}'),
        ":6:35: header X: its value holds control characters, allowed: one line of text",
    ),
    "auth header ours": (
        GOOD.replace("{type: open}", "{type: open, auth: {key: {key: Host, passphrase: x}}}"),
        ":6:35: header Host is the transport's own, allowed: any but connection, content-length, host, transfer-encoding",
    ),
    "two docs": (
        GOOD + "---\nname: y\n",
        ":13:1: broken YAML: but found another document",
    ),
}


def written(folder: Path, text: str) -> Path:
    path = folder / "t.scenario.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_wrong_is_refused_with_its_place(tmp_path: Path, what: str) -> None:
    text, message = BROKEN[what]
    path = written(tmp_path, text)
    with pytest.raises(InvalidInputError) as refused:
        load(path)
    assert str(refused.value).replace(f"{tmp_path}/", "") == f"t.scenario.yaml{message}"
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "auth",
    [
        "geheim",
        "[geheim]",
        "{geheim}",
        "{basic: geheim}",
        "{basic: [geheim]}",
        "{basic: {username: u, password: {geheim: 1}}}",
        "{basic: {username: u, password: [geheim]}}",
        "{basic: {username: u, pasword: geheim}}",
        "{basic: {username: u, password: !geheim}}",
        "{basic: {username: u, password: &geheim}}",
        "{basic: {username: u, password: *geheim}}",
        "{basic: {username: u, password: @geheim}}",
        "{basic: {username: u, password: %geheim}}",
        "{basic: {username: u, password: geheim, password: geheim}}",
        "{basic: {username: 'geheim:geheim', password: x}}",
        "{key: Bearer geheim}",
        '{key: {key: Authorization, passphrase: "geheim\\n"}}',
        "{key: {key: Authorization, passphrase: Bearer geheim, x: y}}",
    ],
)
def test_no_message_repeats_a_secret(tmp_path: Path, auth: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        load(written(tmp_path, changed("{type: open}", f"{{type: open, auth: {auth}}}")))
    assert str(refused.value).startswith(f"{tmp_path}/t.scenario.yaml:6:")
    assert "geheim" not in str(refused.value)


@pytest.mark.parametrize("url", ["http://u:geheim@x:99999/", "http://u:geheim@x y/", "ftp://u:geheim@x/"])
def test_no_message_repeats_the_credentials_of_a_url(tmp_path: Path, url: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        load(written(tmp_path, changed("http://127.0.0.1:8000/hook", f'"{url}"')))
    assert "geheim" not in str(refused.value)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.scenario.yaml"
    path.write_bytes(b"name: \xff")
    with pytest.raises(InvalidInputError, match="byte 6 is not UTF-8"):
        load(path)


def test_a_large_file_is_refused_before_it_is_read_as_yaml(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="1048577 bytes, allowed: up to 1048576"):
        load(written(tmp_path, "#" * 1_048_577))


def test_a_good_file_becomes_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONSUMER_PORT", "9000")
    text = changed("url: http://127.0.0.1:8000/hook", "url: http://127.0.0.1:${CONSUMER_PORT:-8000}/${PATH_OF_HOOK:-h}")
    text = changed("count: 3}", "count: 3, over: 1h}", text)
    plan = load(written(tmp_path, changed("delivered: 3", "delivered: {at_least: 3}", text)))
    assert plan.scenario.consumer.url == "http://127.0.0.1:9000/h"
    assert [step.kind for step in plan.steps] == ["activate", "emit", "run", "expect"]
    emit = plan.steps[1].value
    assert (emit.type, emit.count, emit.over) == (EventType.OPEN, 3, HOUR)
    [expectation] = plan.expectations
    assert expectation.wanted == Bounds(at_least=3)
    assert expectation.place.endswith("t.scenario.yaml:12:26")


def test_variables_are_only_read_where_the_language_says(tmp_path: Path) -> None:
    plan = load(written(tmp_path, changed("name: x", "name: ${HOME} stays")))
    assert plan.scenario.name == "${HOME} stays"


def test_an_empty_variable_takes_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMPTY", "")
    plan = load(written(tmp_path, changed("8000/hook", "${EMPTY:-8000}/hook")))
    assert plan.scenario.consumer.url == "http://127.0.0.1:8000/hook"


def test_a_folder_stands_for_the_scenarios_in_it(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "notes.yaml").write_text("not: one")
    for name in ("b", "a", "deep/c"):
        (tmp_path / f"{name}.scenario.yaml").write_text(GOOD)
    found = [str(path.relative_to(tmp_path)) for path in find_scenarios((tmp_path, tmp_path / "a.scenario.yaml"))]
    assert found == ["a.scenario.yaml", "b.scenario.yaml", "deep/c.scenario.yaml"]


def test_a_path_without_scenarios_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"no \*\.scenario\.yaml file in this folder"):
        find_scenarios((tmp_path,))
    with pytest.raises(InvalidInputError, match="does not exist, allowed: a scenario file, or a folder"):
        find_scenarios((tmp_path / "nowhere",))
