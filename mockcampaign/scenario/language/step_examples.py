"""Examples in the reference. The tests run each of them against a consumer."""

from __future__ import annotations

_HEAD = """\
name: {name}
consumer:
  url: ${{CONSUMER_URL:-http://127.0.0.1:8000}}/hook
  probe: {{url: "${{CONSUMER_URL:-http://127.0.0.1:8000}}/processed", events: "@"}}
webhooks:
  opens: {{type: open}}
steps:
"""

STEP_EXAMPLES = {
    "create": """\
  - create:
      clicks: {type: click, url: "${CONSUMER_URL:-http://127.0.0.1:8000}/hook"}
  - activate: clicks
  - emit: {type: click, count: 3}
  - run: until-idle
  - expect: {clicks: {delivered: 3}}
""",
    "update": """\
  - activate: opens
  - update: {opens: {auth: {basic: {username: acme, password: "${HOOK_PASSWORD:-secret}"}}}}
  - emit: {type: open}
  - run: until-idle
""",
    "rotate": """\
  - activate: opens
  - rotate: {webhook: opens, auth: {basic: {username: acme, password: "${NEW_PASSWORD:-secret}"}}, after: 2m}
  - emit: {type: open, count: 12, over: 5m}
  - run: until-idle
  - expect: {opens: {delivered: 12}}
""",
    "activate": """\
  - emit: {type: open, count: 5}      # not exported
  - activate: opens
  - emit: {type: open, count: 2}
  - run: until-idle
  - expect: {opens: {delivered: 2}}
""",
    "deactivate": """\
  - activate: opens
  - emit: {type: open, count: 2}
  - deactivate: opens
  - advance: 1d
  - expect: {opens: {attempts: 0, pending: 2}}
  - activate: opens
  - run: until-idle
  - expect: {opens: {delivered: 2}}
""",
    "delete": """\
  - activate: opens
  - emit: {type: open, count: 2}
  - deactivate: opens
  - delete: opens
  - expect: {opens: {discarded: 2, delivered: 0}}
""",
    "verify": """\
  - verify: {webhook: opens, events: 3}
  - expect: {opens: {verified: 200, attempts: 0}}
""",
    "emit": """\
  - activate: opens
  - emit: {type: open, count: 250}            # now
  - emit: {type: open, count: 50, over: 1h}   # within the next hour
  - emit: {type: open, new_mail_ids: true, events: '[{"type": "open", "mailId": "A", "recipientId": "007"}]'}
  - run: until-idle
  - expect: {opens: {delivered: 301, batch_events: {at_most: 100}}}
""",
    "mailing": """\
  - activate: opens
  - mailing: {recipients: 200, rates: {opening: 0.4}}
  - advance: 1d
  - expect: {opens: {delivered: {at_least: 20}}}
  - run: until-idle
""",
    "send": """\
  - activate: opens
  - send: {recipient: open+anna@example.com, data: {firstname: Anna}}   # the address decides the outcome
  - run: until-idle
  - expect: {opens: {delivered: 1}}
""",
    "act": """\
  - activate: opens
  - send: {recipient: silent+anna@example.com, as: order}
  - act: {mail: order, type: open, after: 1h}
  - act: {mail: order, type: click, after: 2h, link: "https://shop.example/order/4711"}
  - run: until-idle
  - expect: {opens: {delivered: 1}}
""",
    "suspend": """\
  - activate: opens
  - emit: {type: open, count: 2}
  - suspend: opens
  - emit: {type: open}                # not exported
  - advance: 1h
  - expect: {opens: {attempts: 0, pending: 2}}
  - activate: opens
  - run: until-idle
  - expect: {opens: {delivered: 2}}
""",
    "forget": """\
  - activate: opens
  - emit: {type: open, count: 2}
  - run: until-idle
  - forget: webhooks
  - emit: {type: open}                # nobody exports it
  - expect: {opens: {delivered: 2}}
""",
    "set_up": """\
  - forget: webhooks
  - set_up: until-success
  - expect: {api: {operation: activateWebhook, status: 200}}
""",
    "replay": """\
  - activate: opens
  - replay: {journal: ../fixtures/journals/outage.jsonl}
  - run: until-idle
  - expect: {opens: {delivered: 7}, consumer: {processed: exactly-once}}
""",
    "outage": """\
  - activate: opens
  - outage: {for: 2h, kind: refused}
  - emit: {type: open, count: 10}
  - run: until-idle
  - expect: {opens: {delivered: 10, attempts: 721, recovered_within: 10s}}
""",
    "fault": """\
  - activate: opens
  - fault: {kind: lost-ack, times: 2}
  - emit: {type: open, count: 10}
  - run: until-idle
  - expect:
      opens: {delivered: 10, outcomes: [no-response, no-response, 200]}
      consumer: {processed: exactly-once}
""",
    "advance": """\
  - activate: opens
  - emit: {type: open, count: 10, over: 1h}
  - advance: 1h
  - expect: {opens: {delivered: 10, pending: 0}}
""",
    "run": """\
  - activate: opens
  - emit: {type: open, count: 101}
  - run: until-idle
  - expect: {opens: {batch_events: [100, 1]}}
""",
    "wait": """\
  - activate: opens
  - outage: {for: 1h}
  - emit: {type: open}
  - wait: {until: {opens: {attempts: {at_least: 10}}}, for: 10m}
  - expect: {opens: {attempts: 10, delivered: 0}}
  - run: until-idle
""",
    "probe": """\
  - activate: opens
  - emit: {type: open, count: 2}
  - run: until-idle
  - probe: now
""",
    "expect": """\
  - activate: opens
  - outage: {for: 1m}
  - emit: {type: open, count: 150}
  - run: until-idle
  - expect:
      opens:
        delivered: 150
        batch_events: [100, 50]
        in_order: true
        outcomes: [{outcome: not-connected, times: 6}, 200, 200]
        all: {gap: 10s, events: {at_most: 100}}
        any: {outcome: not-connected, number: 6}
        latest: {outcome: 200, events: 50}
        delivered_within: 1m
        recovered_within: 10s
      consumer: {processed: exactly-once, fields: [mailId, created]}
""",
}
"""Value of `steps` in an example of each step."""

MATRIX_EXAMPLE = """\
name: ${matrix.hours} hours of ${matrix.kind}
tags: [outage]
matrix:
  kind: [refused, dns-failure, connect-timeout]
  hours: [1, 12]
consumer: {url: "${CONSUMER_URL:-http://127.0.0.1:8000}/hook"}
webhooks:
  opens: {type: open}
steps:
  - activate: opens
  - outage: {for: "${matrix.hours}h", kind: "${matrix.kind}"}
  - emit: {type: open, count: 10}
  - run: until-idle
  - expect: {opens: {delivered: 10, recovered_within: 20s}}
"""

SHAPE_EXAMPLE = """\
name: Clicks as our own sender spells them
consumer:
  url: ${CONSUMER_URL:-http://127.0.0.1:8000}/hook
  probe: {url: "${CONSUMER_URL:-http://127.0.0.1:8000}/processed", events: "@"}
webhooks:
  clicks: {type: click}
shape:
  body: {events: list}
  fields: {ref: mail}
  events: '{"kind": "click", "ref": "f3a0-00174", "user": {"id": 481516234}, "at": 1772441950662}'
steps:
  - activate: clicks
  - emit: {type: click, count: 250}
  - run: until-idle
  - expect: {clicks: {delivered: 250}, consumer: {processed: exactly-once, fields: [ref, user.id, at]}}
"""

USE_EXAMPLE = """\
name: Shared parts are in a file of their own
use: consumer.yaml
steps:
  - activate: opens
  - emit: {type: open}
  - run: until-idle
  - expect: {consumer: {processed: exactly-once}}
"""

USED_EXAMPLE = """\
consumer:
  url: ${CONSUMER_URL:-http://127.0.0.1:8000}/hook
  probe: {url: "${CONSUMER_URL:-http://127.0.0.1:8000}/processed", events: "@", settle: 5s}
webhooks:
  opens: {type: open, auth: {basic: {username: acme, password: "${HOOK_PASSWORD:-secret}"}}}
"""


def whole(kind: str) -> str:
    """Return a complete scenario with the example of a step."""
    return _HEAD.format(name=f"Example of {kind}") + STEP_EXAMPLES[kind]
