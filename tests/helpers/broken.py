"""Scenario files with one mistake each. `golden/broken-scenarios.txt` has the message for each."""

OWN_EVENT = '{"event": "open", "messageId": "f3a0-0017", "at": 1772441950662}'

OWN_PROBE = '{url: "http://127.0.0.1:8000/processed", events: "@"}'

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


BROKEN: dict[str, str] = {
    "empty": "",
    "broken yaml": "name: [x\n",
    "tab": "name: x\n\tsteps: y\n",
    "tag": GOOD.replace("name: x", "name: !!python/object:os.system x"),
    "alias": GOOD.replace("{type: open}", "&a {type: open}") + "  - x: *a\n",
    "list top": "- a\n",
    "unknown key": GOOD.replace("consumer:", "consumr:"),
    "missing": GOOD.replace("name: x\n", ""),
    "dup": GOOD + "name: y\n",
    "wrong type": GOOD.replace("count: 3", "count: three"),
    "float": GOOD.replace("count: 3", "count: 2.5"),
    "zero": GOOD.replace("count: 3", "count: 0"),
    "neg dur": GOOD.replace("count: 3", "over: -5s"),
    "no unit": GOOD.replace("count: 3", "over: 10"),
    "absurd": GOOD.replace("count: 3", "over: 9999d"),
    "type": GOOD.replace("{type: open}", "{type: opne}"),
    "step": GOOD.replace("run: until-idle", "rum: until-idle"),
    "run": GOOD.replace("until-idle", "until-done"),
    "two keys": GOOD.replace("  - run: until-idle", "  - run: until-idle\n    advance: 5s"),
    "step str": GOOD.replace("  - run: until-idle", "  - run"),
    "webhook": GOOD.replace("activate: opens", "activate: open"),
    "twice": GOOD.replace("  - run: until-idle", "  - activate: opens"),
    "delete": GOOD.replace("  - run: until-idle", "  - delete: opens"),
    "expect who": GOOD.replace("      opens: {delivered", "      open: {delivered"),
    "expect what": GOOD.replace("delivered: 3", "deliverd: 3"),
    "expect text": GOOD.replace("delivered: 3", "delivered: many"),
    "expect neg": GOOD.replace("delivered: 3", "delivered: -1"),
    "bounds": GOOD.replace("delivered: 3", "delivered: {at_least: 5, at_most: 4}"),
    "bounds0": GOOD.replace("delivered: 3", "delivered: {}"),
    "nothing": GOOD.replace("      opens: {delivered: 3}", "      opens: {}"),
    "no probe": GOOD.replace('  probe: {url: "http://127.0.0.1:8000/processed", events: "@"}\n', "").replace(
        "opens: {delivered: 3}", "consumer: {processed: 3}"
    ),
    "probe both": GOOD.replace('events: "@"', 'events: "@", count: x'),
    "probe placeholder": changed("/processed", "/processed?mailing={mailing}"),
    "probe placeholder without role": changed("/processed", "/processed?client={clientId}")
    + f"shape: {{events: '{OWN_EVENT}'}}\n",
    "probe url and sql": changed('events: "@"', "sql: 'sqlite://', query: SELECT 1"),
    "probe without query": changed(OWN_PROBE, "{sql: 'sqlite://'}"),
    "probe query and events": changed(OWN_PROBE, "{sql: 'sqlite://', query: SELECT 1, events: x}"),
    "probe sql": changed(OWN_PROBE, "{sql: 'postgres://u:geheim@h/d', query: SELECT 1}"),
    "probe sql is a list": changed(OWN_PROBE, "{sql: [geheim], query: SELECT 1}"),
    "probe query": changed(OWN_PROBE, "{sql: 'sqlite://', query: DELETE FROM events}"),
    "probe query placeholder": changed(OWN_PROBE, "{sql: 'sqlite://', query: 'SELECT :mailing'}"),
    "jmespath": GOOD.replace('events: "@"', 'events: "a["'),
    "count probe": GOOD.replace('events: "@"', "count: n").replace(
        "opens: {delivered: 3}", "consumer: {processed: exactly-once}"
    ),
    "url": GOOD.replace("url: http://127.0.0.1:8000/hook", "url: ftp://x/"),
    "url creds": GOOD.replace("url: http://127.0.0.1:8000/hook", "url: http://me:geheim@x/"),
    "var": GOOD.replace("url: http://127.0.0.1:8000/hook", "url: ${NOT_SET_ANYWHERE}/hook"),
    "var2": GOOD.replace("url: http://127.0.0.1:8000/hook", "url: ${}/hook"),
    "secret": GOOD.replace("{type: open}", "{type: open, auth: {basic: {username: u, password: 4711}}}"),
    "auth": GOOD.replace("{type: open}", "{type: open, auth: {basik: {}}}"),
    "like": GOOD.replace("type: open, count: 3", "like: nowhere.json"),
    "emit none": GOOD.replace("emit: {type: open, count: 3}", "emit: {count: 3}"),
    "mailing": GOOD.replace("emit: {type: open, count: 3}", "mailing: {recipients: 5000001}"),
    "mailing rate": GOOD.replace("emit: {type: open, count: 3}", "mailing: {recipients: 5, rates: {openings: 0.5}}"),
    "mailing rate above 1": GOOD.replace(
        "emit: {type: open, count: 3}", "mailing: {recipients: 5, rates: {opening: 1.5}}"
    ),
    "mailing rate no number": GOOD.replace(
        "emit: {type: open, count: 3}", "mailing: {recipients: 5, rates: {opening: .nan}}"
    ),
    "no emit": GOOD.replace("  - emit: {type: open, count: 3}\n", ""),
    "no steps": GOOD[: GOOD.index("steps:")] + "steps: []\n",
    "outage": GOOD.replace("run: until-idle", "outage: {for: 2h, kind: rejected}"),
    "outage for": GOOD.replace("run: until-idle", "outage: {kind: refused}"),
    "null": GOOD.replace("name: x", "name:"),
    "int name": GOOD.replace("name: x", "name: 12"),
    "consumer name": GOOD.replace("  opens: {type", "  consumer: {type").replace(
        "activate: opens", "activate: consumer"
    ),
    "limit": GOOD.replace("  opens: {type: open}", "\n".join(f"  w{i}: {{type: open}}" for i in range(13)))
    .replace("activate: opens", "activate: w1")
    .replace("opens: {del", "w1: {del"),
    "policy": GOOD + "policy: {retry_interval: 5d}\n",
    "policy2": GOOD + "policy: {batch_events_max: 101}\n",
    "start": GOOD + "start: yesterday\n",
    "seed": GOOD + "seed: -1\n",
    "deep": "a: " + "[" * 50 + "]" * 50,
    "key": GOOD.replace("name: x", "? [a]\n: x"),
    "control": GOOD.replace("name: x", 'name: "\x07"'),
    "url port": GOOD.replace(":8000/hook", ":99999/hook"),
    "url blank": GOOD.replace(":8000/hook", ":8000/my hook"),
    "outage kind near": GOOD.replace("run: until-idle", "outage: {for: 2h, kind: refusd}"),
    "outage for nothing": GOOD.replace("run: until-idle", "outage: {for: 0s}"),
    "advance by nothing": GOOD.replace("run: until-idle", "advance: 0s"),
    "too much time": GOOD.replace("  - run: until-idle", "  - advance: 366d\n" * 101),
    "start late": GOOD + "start: 3000-01-01T00:00:00Z\n",
    "auth is text": GOOD.replace("{type: open}", "{type: open, auth: basik}"),
    "auth is nothing like one": GOOD.replace("{type: open}", "{type: open, auth: {s3cret: x}}"),
    "auth two kinds": GOOD.replace("{type: open}", "{type: open, auth: {none: {}, basic: {}}}"),
    "auth colon": GOOD.replace("{type: open}", '{type: open, auth: {basic: {username: "a:b", password: x}}}'),
    "auth header name": GOOD.replace("{type: open}", "{type: open, auth: {key: {key: X Token, passphrase: x}}}"),
    "auth header value": GOOD.replace("{type: open}", '{type: open, auth: {key: {key: X, passphrase: "s3\\ncret"}}}'),
    "auth header ours": GOOD.replace("{type: open}", "{type: open, auth: {key: {key: Host, passphrase: x}}}"),
    "two docs": GOOD + "---\nname: y\n",
}

SHARED = """\
consumer:
  url: http://127.0.0.1:8000/hook
webhooks:
  clicks: {type: click}
"""
"""The file `shared.yaml` beside the scenarios."""


def expecting(what: str) -> str:
    """Return the good file with another expectation of its webhook."""
    return changed("opens: {delivered: 3}", f"opens: {{{what}}}")


def step(text: str) -> str:
    """Return the good file with another step in line 10."""
    return changed("run: until-idle", text)


def with_matrix(matrix: str, count: str = '"${matrix.n}"') -> str:
    """Return the good file with a matrix in line 1, and a value of it."""
    return f"matrix: {matrix}\n" + changed("count: 3", f"count: {count}")


OWN_CONSUMER = GOOD[GOOD.index("consumer:") : GOOD.index("webhooks:")]

BROKEN |= {
    "bom of another encoding": "\ufffe",
    "number as key": changed("name: x", "1: x"),
    "name is a list": changed("name: x", "name: [x]"),
    "date as name": changed("name: x", "name: 2025-01-01"),
    "steps is a mapping": changed("steps:\n", "steps:\n  a: b\nx:\n"),
    "step is null": step(""),
    "step is empty": step("{}"),
    "step value is null": step("activate:"),
    "step value is a list": step("activate: [opens]"),
    "webhooks is a list": changed("  opens: {type: open}", "  - opens"),
    "webhook is text": changed("opens: {type: open}", "opens: open"),
    "webhook without type": changed("opens: {type: open}", "opens: {}"),
    "webhook client": changed("opens: {type: open}", "opens: {type: open, client: 0}"),
    "webhook key": changed("opens: {type: open}", "opens: {type: open, typ: x}"),
    "consumer is text": changed(OWN_CONSUMER, "consumer: http://127.0.0.1:8000/\n"),
    "consumer missing": changed(OWN_CONSUMER, ""),
    "probe without url": changed('url: "http://127.0.0.1:8000/processed", ', ""),
    "probe settle": changed('events: "@"', 'events: "@", settle: long'),
    "probe without consumer probe": changed(
        '  probe: {url: "http://127.0.0.1:8000/processed", events: "@"}\n', ""
    ).replace("run: until-idle", "probe: now"),
    "probe when": step("probe: later"),
    "emit two types": step("emit: {type: open, type: click}"),
    "emit too many": changed("count: 3", "count: 1000001"),
    "emit exact events no json": step("emit: {type: open, events: '[{'}"),
    "emit exact events no text": step("emit: {type: open, events: [1]}"),
    "emit exact events and count": step("emit: {type: open, count: 2, events: '[{}]'}"),
    "emit new mail ids alone": step("emit: {type: open, new_mail_ids: true}"),
    "emit new mail ids text": step("emit: {type: open, new_mail_ids: some, events: '[{}]'}"),
    "emit list": step("emit: [open]"),
    "emit unknown type": changed("{type: open, count", "{type: clik, count"),
    "emit like a folder": changed("type: open, count: 3", "like: ."),
    "emit like no json": changed("type: open, count: 3", "like: t.scenario.yaml"),
    "mailing without recipients": step("mailing: {}"),
    "mailing recipients": step("mailing: {recipients: 0}"),
    "mailing rate": step("mailing: {recipients: 10, rates: {opening: 2}}"),
    "mailing rate unknown": step("mailing: {recipients: 10, rates: {openning: 0.5}}"),
    "outage without for": step("outage: {kind: refused}"),
    "outage is text": step("outage: 2h"),
    "outage webhook": step("outage: {for: 2h, webhook: open}"),
    "outage key": step("outage: {fro: 2h}"),
    "fault kind": step("fault: {kind: lost-acks}"),
    "fault without kind": step("fault: {times: 1}"),
    "fault key": step("fault: {kind: lost-ack, time: 1}"),
    "fault times": step("fault: {kind: lost-ack, times: 0}"),
    "fault for": step("fault: {kind: lost-ack, for: soon}"),
    "fault both": step("fault: {kind: lost-ack, every: 2, probability: 0.5}"),
    "fault webhook": step("fault: {kind: lost-ack, webhook: open}"),
    "advance number": step("advance: 10"),
    "advance order": step("advance: 12h1d"),
    "advance fraction": step("advance: 1.5h"),
    "create twice": step("create: {opens: {type: click}}"),
    "create consumer": step("create: {consumer: {type: click}}"),
    "update unknown": step("update: {open: {url: http://x/}}"),
    "update nothing": step("update: {opens: {}}"),
    "update type": step("update: {opens: {type: click}}"),
    "deactivate too early": changed("activate: opens", "deactivate: opens"),
    "delete unknown": step("delete: clicks"),
    "use after delete": step("deactivate: opens\n  - delete: opens\n  - activate: opens"),
    "verify unknown": step("verify: open"),
    "verify too many": step("verify: {webhook: opens, events: 101}"),
    "verify without webhook": step("verify: {events: 1}"),
    "verify deleted": step("deactivate: opens\n  - delete: opens\n  - verify: opens"),
    "wait without for": step("wait: {until: {opens: {delivered: 3}}}"),
    "wait without until": step("wait: {for: 1h}"),
    "wait for nothing": step("wait: {for: 1h, until: {}}"),
    "wait for consumer": step("wait: {for: 1h, until: {consumer: {processed: 3}}}"),
    "wait for unknown": step("wait: {for: 1h, until: {open: {delivered: 3}}}"),
    "wait zero": step("wait: {for: 0s, until: {opens: {delivered: 3}}}"),
    "expect list": changed("      opens: {delivered: 3}", "      - opens"),
    "expect fraction": expecting("delivered: 2.5"),
    "expect null": expecting("delivered:"),
    "expect bound unknown": expecting("delivered: {atleast: 1}"),
    "expect bound text": expecting("delivered: {at_least: one}"),
    "expect sizes": expecting("batch_events: [3, x]"),
    "expect order": expecting("in_order: kept"),
    "expect outcome word": expecting("outcomes: [refused]"),
    "expect outcome status": expecting("outcomes: [200, 999]"),
    "expect outcome times": expecting("outcomes: [{outcome: 200, times: -1}]"),
    "expect outcome key": expecting("outcomes: [{outcome: 200, time: 1}]"),
    "expect outcomes plain": expecting("outcomes: 200"),
    "expect latest nothing": expecting("latest: {}"),
    "expect latest key": expecting("latest: {status: 200}"),
    "expect latest text": expecting("latest: 200"),
    "expect any outcome": expecting("any: {outcome: timedout}"),
    "expect all gap": expecting("all: {gap: 10}"),
    "expect all gap bounds": expecting("all: {gap: {at_least: 20s, at_most: 10s}}"),
    "expect all gap bound": expecting("all: {gap: {at_least: 10}}"),
    "expect header": expecting("latest: {headers: {x: 1}}"),
    "expect within": expecting("delivered_within: 0s"),
    "expect recovery": expecting("recovered_within: soon"),
    "expect verified": expecting("verified: ok"),
    "expect processed": changed("opens: {delivered: 3}", "consumer: {processed: exactly-one}"),
    "expect processed negative": changed("opens: {delivered: 3}", "consumer: {processed: -1}"),
    "expect fields without processed": changed("opens: {delivered: 3}", "consumer: {fields: [mailId]}"),
    "expect fields of a number": changed("opens: {delivered: 3}", "consumer: {processed: 3, fields: [mailId]}"),
    "expect fields nothing": changed("opens: {delivered: 3}", "consumer: {processed: exactly-once, fields: []}"),
    "expect fields text": changed("opens: {delivered: 3}", "consumer: {processed: exactly-once, fields: mailId}"),
    "expect nothing of two": changed("opens: {delivered: 3}", "{opens: {delivered: 3}, consumer: {}}"),
    "tags text": changed("name: x", "name: x\ntags: slow"),
    "tag with a blank": changed("name: x", "name: x\ntags: [very slow]"),
    "matrix list": with_matrix("[1, 2]"),
    "matrix empty": with_matrix("{}"),
    "matrix value alone": with_matrix("{n: 1}"),
    "matrix no values": with_matrix("{n: []}"),
    "matrix nested": with_matrix("{n: [[1]]}"),
    "matrix null": with_matrix("{n: [null]}"),
    "matrix name": with_matrix("{n-1: [1]}"),
    "matrix twice": with_matrix("{n: [1], n: [2]}"),
    "matrix too large": with_matrix(f"{{n: [{', '.join('1' * 17)}], m: [{', '.join('1' * 16)}]}}"),
    "matrix unknown": with_matrix("{nn: [1]}"),
    "matrix unused": with_matrix("{n: [1], m: [2]}"),
    "matrix wrong value": with_matrix("{n: [1, many]}"),
    "matrix out of range": with_matrix("{n: [1, 0]}"),
    "matrix of credentials": "matrix: {n: [geheim]}\n"
    + changed("{type: open}", '{type: open, auth: {basic: {username: u, password: "${matrix.n}"}}}'),
    "matrix absent": changed("count: 3", 'count: "${matrix.n}"'),
    "use is a list": changed("name: x", "name: x\nuse: [shared.yaml]"),
    "use nowhere": changed("name: x", "name: x\nuse: nowhere.yaml"),
    "use itself": changed("name: x", "name: x\nuse: t.scenario.yaml"),
    "use twice the consumer": changed("name: x", "name: x\nuse: shared.yaml"),
    "use twice a webhook": changed(OWN_CONSUMER, "use: shared.yaml\n").replace(
        "  opens: ", "  clicks: {type: open}\n  opens: "
    ),
    "policy key": GOOD + "policy: {retries: 3}\n",
    "policy zero": GOOD + "policy: {timeout: 0s}\n",
    "policy switch": GOOD + "policy: {refill: maybe}\n",
    "policy text": GOOD + "policy: fast\n",
    "seed text": GOOD + "seed: abc\n",
    "start without zone": GOOD + 'start: "2025-01-01T00:00:00"\n',
    "shape nowhere": GOOD + "shape: nowhere.json\n",
    "shape no events": GOOD + "shape: [t.scenario.yaml]\n",
    "shape number": GOOD + "shape: 5\n",
    "shape key": GOOD + "shape: {field: {}}\n",
    "shape without events": GOOD + "shape: {type: open}\n",
    "shape type": GOOD + f"shape: {{events: '{OWN_EVENT}', type: opne}}\n",
    "shape field": GOOD + f"shape: {{events: '{OWN_EVENT}', fields: {{messageID: mail}}}}\n",
    "shape role": GOOD + f"shape: {{events: '{OWN_EVENT}', fields: {{messageId: letter}}}}\n",
    "shape unfit": GOOD + f"shape: {{events: '{OWN_EVENT}', fields: {{messageId: moment}}}}\n",
    "shape twice": GOOD + f"shape: [{{events: '{OWN_EVENT}'}}, {{events: '{OWN_EVENT}'}}]\n",
    "shape bodies": GOOD
    + f"shape:\n  - {{events: '{OWN_EVENT}'}}\n  - {{events: '{OWN_EVENT}', type: click, body: object}}\n",
    "shape and mailing": step("mailing: {recipients: 10}") + f"shape: {{events: '{OWN_EVENT}'}}\n",
}
