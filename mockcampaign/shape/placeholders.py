"""Placeholders in probes: names for the values of roles by which a consumer can select the events it is asked for.

Users write them as `{mailingId}` in URLs and commands and as `:mailingId` in SQL, whatever the fields of their events
are called, and as parameters such as `mailing_id` of functions.
"""

from __future__ import annotations

import re
from collections.abc import Collection

import msgspec

from mockcampaign.errors import InvalidInputError
from mockcampaign.shape.field import Role
from mockcampaign.shape.shape import Shape
from mockcampaign.text import unknown


class Placeholder(msgspec.Struct, frozen=True, kw_only=True):
    """One placeholder."""

    name: str
    role: Role
    parameter: str
    """Name of the parameter of a function that gets the values."""
    variable: str
    """Environment variable of a command that contains the values."""


CLIENT_ID = Placeholder(name="clientId", role=Role.CLIENT, parameter="client_id", variable="PROBE_CLIENT_ID")
MAILING_ID = Placeholder(name="mailingId", role=Role.MAILING, parameter="mailing_id", variable="PROBE_MAILING_ID")
MAIL_IDS = Placeholder(name="mailIds", role=Role.MAIL, parameter="mail_ids", variable="PROBE_MAIL_IDS")
SINCE = Placeholder(name="since", role=Role.MOMENT, parameter="since", variable="PROBE_SINCE")

PLACEHOLDERS: dict[str, Placeholder] = {one.name: one for one in (CLIENT_ID, MAILING_ID, MAIL_IDS, SINCE)}
"""All placeholders by name."""

IN_BRACES = re.compile(r"(?<![$\\{])\{([A-Za-z_][A-Za-z0-9_]*)\}(?!\})")
"""A placeholder in a URL or an argument. `${NAME}`, `{{name}}` and `{ print }` belong to shells and other programs."""


def named(names: Collection[str], where: str, shown: str = "{{{}}}") -> frozenset[Placeholder]:
    """Return the placeholders with these names. Raise `InvalidInputError`, which begins with `where`, for others.

    `shown` is the format in which the user writes placeholders there.
    """
    wrong = next((name for name in sorted(names) if name not in PLACEHOLDERS), None)
    if wrong is not None:
        allowed = [shown.format(name) for name in PLACEHOLDERS]
        raise InvalidInputError(f"{where}: {unknown('placeholder', shown.format(wrong), allowed)}")
    return frozenset(PLACEHOLDERS[name] for name in names)


def in_braces(text: str, where: str) -> frozenset[Placeholder]:
    """Return the placeholders in a URL or an argument. Raise `InvalidInputError`, which begins with `where`, for
    unknown ones."""
    return named(frozenset(IN_BRACES.findall(text)), where)


def require_roles(placeholders: Collection[Placeholder], shape: Shape, where: str) -> None:
    """Raise `InvalidInputError`, which begins with `where`, if events of the shape have no value for a placeholder."""
    missing = next((one for one in PLACEHOLDERS.values() if one in placeholders and not shape.has(one.role)), None)
    if missing is not None:
        allowed = ", ".join(f"{{{one.name}}}" for one in PLACEHOLDERS.values() if shape.has(one.role))
        raise InvalidInputError(
            f"{where}: {{{missing.name}}} needs a field with the role {missing.role}, which these events do not have, "
            f"allowed: {allowed or 'none'}"
        )
