"""The rules that a check examines, one module for each family, in the order in which they are examined."""

from __future__ import annotations

from mockcampaign.check.rule import Rule
from mockcampaign.check.rules.acknowledgement import ACKNOWLEDGE
from mockcampaign.check.rules.authentication import AUTHENTICATION
from mockcampaign.check.rules.bad_event import POISON, PRICE
from mockcampaign.check.rules.batch import BATCH
from mockcampaign.check.rules.durability import CRASH
from mockcampaign.check.rules.http import HTTP
from mockcampaign.check.rules.identity import IDENTITY
from mockcampaign.check.rules.order import ORDER
from mockcampaign.check.rules.overlap import OVERLAP
from mockcampaign.check.rules.payload import PAYLOAD
from mockcampaign.check.rules.random_histories import HISTORIES
from mockcampaign.check.rules.redelivery import REDELIVERY
from mockcampaign.check.rules.resilience import FAILURE

CATALOGUE: tuple[Rule, ...] = (
    *ACKNOWLEDGE,
    *BATCH,
    *IDENTITY,
    *REDELIVERY,
    *OVERLAP,
    *ORDER,
    *HTTP,
    *AUTHENTICATION,
    *PAYLOAD,
    *POISON,
    *PRICE,
    *FAILURE,
    *HISTORIES,
    *CRASH,
)
"""All of them. Families stay together, and the basics come first."""

FAMILIES: dict[str, str] = {
    "acknowledge": "200 and nothing else, in time, and only for what is stored",
    "batch": "lists of every size, and every event in them",
    "identity": "what makes two events the same one",
    "redelivery": "the same events again, processed once",
    "overlap": "the same events again while it is still at work on them",
    "order": "how old events may be, and in which order they come",
    "authentication": "the right credentials work, and all others are refused",
    "http": "whatever HTTP allows, and requests that are none of Campaign's",
    "payload": "what events may hold",
    "poison": "one event that cannot be digested among others",
    "status price": "what each answer but 200 costs",
    "failure": "the consumer's own leave nothing half done, the sender's leave it working",
    "history": "events, faults, outages and time in any order",
    "crash": "killed and started again, it still has what it acknowledged",
}
"""What each family is about."""

BASICS = "responds-200"
"""Where this one is violated, no other rule can be examined."""

LASTING = "stays-available"
"""Examined in any case where ordinary lists are not taken any more, of which no other rule can make anything."""

ACCOUNT = "stores-before-acknowledging"
"""Where this one is violated, no rule that asks for the account can be examined."""
