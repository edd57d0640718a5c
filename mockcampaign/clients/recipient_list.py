"""Recipient lists, their fields and their recipients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import assert_never

import msgspec

from mockcampaign.errors import WrongFieldsError


class FieldType(StrEnum):
    """The type of a recipient list's field (vendor's API description)."""

    LONG = "LONG"
    INTEGER = "INTEGER"
    SHORT = "SHORT"
    STRING = "STRING"
    TEXT = "TEXT"
    FLOAT = "FLOAT"
    DECIMAL = "DECIMAL"
    DATE = "DATE"
    TIMESTAMP = "TIMESTAMP"
    BOOLEAN = "BOOLEAN"


class ListField(msgspec.Struct, frozen=True, kw_only=True):
    """One field of a recipient list."""

    name: str
    """Internal name, by which requests call it."""
    display_name: str = ""
    type: FieldType = FieldType.STRING
    required: bool = False


EMAIL = "email"
"""Internal name of the field with the e-mail address. Assumed."""

DEFAULT_FIELDS = (
    ListField(name=EMAIL, display_name="E-mail address", required=True),
    ListField(name="firstname", display_name="First name"),
    ListField(name="lastname", display_name="Last name"),
    ListField(name="created", display_name="Created", type=FieldType.TIMESTAMP),
    ListField(name="modified", display_name="Modified", type=FieldType.TIMESTAMP),
)
"""Fields of a list that does not say which it has. Assumed, but that some field has to be required: the vendor's own
client offers no other as the recipient's id."""

SET_BY_CAMPAIGN = frozenset({"created", "modified", "bmOptinFinishedDate"})
"""Internal names of fields that no call has to give. Assumed: the vendor's own client does not ask for them."""


class RecipientList(msgspec.Struct, frozen=True, kw_only=True):
    """A recipient list."""

    id: int
    name: str
    description: str = ""
    fields: tuple[ListField, ...] = DEFAULT_FIELDS
    is_test: bool = False
    is_transactional: bool = False
    """Whether it is meant for single mails."""
    created: int
    modified: int

    @property
    def required(self) -> list[str]:
        """Internal names of the fields that every recipient has, in their order."""
        return [field.name for field in self.fields if field.required and field.name not in SET_BY_CAMPAIGN]

    @property
    def id_field(self) -> str:
        """Internal name of the field whose value is the recipient's id, unless a call gives another: the first
        required one. Assumed: the vendor's own client sends the value of a required field as the id, and nowhere else.
        """
        return next(iter(self.required), EMAIL)

    def check_required(self, data: Mapping[str, str], names: Iterable[str] | None = None) -> None:
        """Raise `WrongFieldsError` for required fields without a value, of all fields or of those with these names."""
        wanted = self.required if names is None else [name for name in self.required if name in names]
        missing = [name for name in wanted if not data.get(name)]
        if missing:
            raise WrongFieldsError(
                [f"data.{name}: missing, allowed: text, as recipient list {self.id} requires it" for name in missing]
            )


class Recipient(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A recipient of one list. Its text form shows nobody.

    There can be a million, each encoded without the names of its fields.
    """

    id: str
    address: str
    data: Mapping[str, str] = {}
    """Attributes by the internal names of fields."""
    person: int
    """Number by which the model knows the person."""
    created: int
    modified: int
    optin_mail_id: str = ""
    """Id of the mail in which the recipient opts in, if there is one."""
    is_pending: bool = False
    """Whether the recipient has not yet confirmed a double opt-in."""

    def __repr__(self) -> str:
        return "Recipient(…)"


class AttributeMode(StrEnum):
    """How a change of a recipient combines new and old text."""

    SET = "set"
    PREPEND = "prepend"
    APPEND = "append"


def changed(recipient: Recipient, data: Mapping[str, str], mode: AttributeMode, now: int) -> Recipient:
    """Return the recipient with other attributes."""
    combined = dict(recipient.data)
    for name, text in data.items():
        combined[name] = _combined(combined.get(name, ""), text, mode)
    address = combined.get(EMAIL) or recipient.address
    return msgspec.structs.replace(recipient, data=combined, address=address, modified=now)


def _combined(old: str, new: str, mode: AttributeMode) -> str:
    match mode:
        case AttributeMode.SET:
            return new
        case AttributeMode.PREPEND:
            return new + old
        case AttributeMode.APPEND:
            return old + new
        case _:
            assert_never(mode)
