"""The rules that a check examines, one module for each family, in the order in which they are examined."""

from __future__ import annotations

from mockcampaign.compliance.catalogue.acknowledge import ACKNOWLEDGE
from mockcampaign.compliance.catalogue.authentication import AUTHENTICATION
from mockcampaign.compliance.catalogue.batch import BATCH
from mockcampaign.compliance.catalogue.crash import CRASH
from mockcampaign.compliance.catalogue.failure import FAILURE
from mockcampaign.compliance.catalogue.histories import HISTORIES
from mockcampaign.compliance.catalogue.http import HTTP
from mockcampaign.compliance.catalogue.identity import IDENTITY
from mockcampaign.compliance.catalogue.order import ORDER
from mockcampaign.compliance.catalogue.overlap import OVERLAP
from mockcampaign.compliance.catalogue.payload import PAYLOAD
from mockcampaign.compliance.catalogue.poison import POISON, PRICE
from mockcampaign.compliance.catalogue.redelivery import REDELIVERY
from mockcampaign.compliance.rule import Rule

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

BASICS = "answers-200"
"""Where this one is violated, no other rule can be examined."""

LASTING = "goes-on-taking-lists"
"""Examined in any case where ordinary lists are not taken any more, of which no other rule can make anything."""

ACCOUNT = "stores-before-answering"
"""Where this one is violated, no rule that asks for the account can be examined."""
