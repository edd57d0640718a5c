"""The rules that a check examines, one module for each family, in the order in which they are examined."""

from __future__ import annotations

from mockcampaign.check.rule import Rule
from mockcampaign.check.rules.acknowledgement import ACKNOWLEDGEMENT
from mockcampaign.check.rules.authentication import AUTHENTICATION
from mockcampaign.check.rules.bad_event import BAD_EVENT, COST_OF_FAILURE
from mockcampaign.check.rules.batch import BATCH
from mockcampaign.check.rules.durability import DURABILITY
from mockcampaign.check.rules.http import HTTP
from mockcampaign.check.rules.identity import IDENTITY
from mockcampaign.check.rules.order import ORDER
from mockcampaign.check.rules.overlap import OVERLAP
from mockcampaign.check.rules.payload import PAYLOAD
from mockcampaign.check.rules.random_histories import RANDOM_HISTORIES
from mockcampaign.check.rules.redelivery import REDELIVERY
from mockcampaign.check.rules.resilience import RESILIENCE

CATALOGUE: tuple[Rule, ...] = (
    *ACKNOWLEDGEMENT,
    *BATCH,
    *IDENTITY,
    *REDELIVERY,
    *OVERLAP,
    *ORDER,
    *HTTP,
    *AUTHENTICATION,
    *PAYLOAD,
    *BAD_EVENT,
    *COST_OF_FAILURE,
    *RESILIENCE,
    *RANDOM_HISTORIES,
    *DURABILITY,
)
"""All rules. Families stay together, and the basics come first."""

TELLING = (
    "stores-before-acknowledging",
    "keeps-up",
    "once-after-lost-response",
    "stores-every-event",
    "stores-repeat-engagement",
    "accepts-largest-batch",
    "stores-batches-that-share-rows",
    "once-when-delivered-concurrently",
    "accepts-every-batch-size",
    "accepts-absent-fields",
    "stores-text-unchanged",
    "isolates-bad-event",
    "stores-late-events",
)
"""Ids of the rules that are examined first where the budget is too short for all: they find most of the bugs that
consumers have, with few requests."""

FAMILIES: dict[str, str] = {
    "acknowledgement": "200 and nothing else, in time, and only for what is stored",
    "batch": "batches of every size, and every event in them",
    "identity": "when two events are the same event",
    "redelivery": "the same events delivered again, stored once",
    "overlap": "a retry that arrives while the consumer still works",
    "order": "how old events may be, and in which order they may arrive",
    "authentication": "valid credentials are accepted, all others are rejected",
    "http": "whatever HTTP allows, and requests that Campaign never sends",
    "payload": "what events may contain",
    "bad event": "one event among others that the consumer cannot handle",
    "cost of failure": "what every status but 200 costs",
    "resilience": "failures of the consumer leave nothing half done, and failures of the sender leave it working",
    "random histories": "events, faults, outages and time in any order",
    "durability": "killed and restarted, it still has what it acknowledged",
}
"""A description of each family."""

BASICS, STORE, AVAILABILITY, RECOVERY = (
    next(rule.id for rule in CATALOGUE if rule.role == role) for role in ("basics", "store", "availability", "recovery")
)
"""Ids of the rules that other rules need, as `Rule.role` says."""
