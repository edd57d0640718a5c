"""The beginning of a client: sensible defaults, and whatever a file, a scenario or a test adds."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from mockcampaign.clients.optin_process import OptinType
from mockcampaign.clients.recipient_list import DEFAULT_FIELDS, ListField
from mockcampaign.events.rates import DEFAULT_RATES, Rates


class RecipientDefinition(msgspec.Struct, frozen=True, kw_only=True):
    """A recipient that a list has from the start. Its text form shows nobody."""

    id: str
    address: str | None = None
    """E-mail address (default: the id)."""
    data: Mapping[str, str] = {}

    def __repr__(self) -> str:
        return "RecipientDefinition(…)"


class ListDefinition(msgspec.Struct, frozen=True, kw_only=True):
    """A recipient list."""

    name: str
    id: int | None = None
    """Its id (default: a new one)."""
    description: str = ""
    transactional: bool = False
    """Whether it is meant for single mails."""
    test: bool = False
    fields: tuple[ListField, ...] = DEFAULT_FIELDS
    recipients: tuple[RecipientDefinition, ...] = ()


class OptinDefinition(msgspec.Struct, frozen=True, kw_only=True):
    """An opt-in process."""

    name: str
    type: OptinType
    id: int | None = None


class MailDefinition(msgspec.Struct, frozen=True, kw_only=True):
    """A transactional mail that is running from the start."""

    name: str
    lists: tuple[str, ...]
    """Names of the recipient lists that it is assigned to."""
    id: int | None = None
    mailing_id: int | None = None
    """Id that its events carry (default: a new one)."""
    subject: str = ""


class ClientDefinition(msgspec.Struct, frozen=True, kw_only=True):
    """Lists, processes and mails that a client has besides the defaults."""

    lists: tuple[ListDefinition, ...] = ()
    optin_processes: tuple[OptinDefinition, ...] = ()
    mails: tuple[MailDefinition, ...] = ()
    rates: Rates = DEFAULT_RATES
    """How recipients of single mails behave."""


LIST_NAME, TRANSACTIONAL_LIST_NAME, MAIL_NAME = "Recipients", "Transactional recipients", "Order confirmation"

DEFAULT_LISTS = (
    ListDefinition(name=LIST_NAME),
    ListDefinition(name=TRANSACTIONAL_LIST_NAME, transactional=True),
)
DEFAULT_OPTIN_PROCESSES = tuple(
    OptinDefinition(name=f"{kind.value.capitalize()} opt-in", type=kind) for kind in OptinType
)
DEFAULT_MAILS = (MailDefinition(name=MAIL_NAME, lists=(TRANSACTIONAL_LIST_NAME,), subject="Your order"),)
"""Lists, processes and mails of every client. Assumed: enough to call every operation. No operation of the vendor's
creates a list, so some have to exist."""
