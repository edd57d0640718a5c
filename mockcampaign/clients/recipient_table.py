"""The recipients of one list: one set of rules, whether their rows are in memory or in a file.

Rows are encoded recipients, so a million of them takes 250 MB of memory, and next to nothing if a state file has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping, Sequence
from typing import Protocol

import msgspec

from mockcampaign.clients.recipient_list import Recipient

ID = "id"
"""Name by which pages are sorted by the ids of recipients. Other names are those of attributes."""

encode_row = msgspec.msgpack.Encoder().encode
"""Return the row of a recipient."""

decode_row = msgspec.msgpack.Decoder(Recipient).decode
"""Return the recipient of a row. Raises `msgspec.MsgspecError` for a damaged one."""


class RecipientRows(Protocol):
    """The rows of one list, in the order in which they were added."""

    def define(self, recipients: Sequence[Recipient]) -> None:
        """Begin with the recipients that are always there from the start, where no change says otherwise."""

    def get(self, recipient_id: str) -> Recipient | None:
        """Return a recipient, or None."""

    def put(self, recipient: Recipient) -> None:
        """Add a recipient at the end, or replace one at its place."""

    def remove(self, recipient_id: str) -> None:
        """Remove a recipient, if there is one."""

    def counts(self) -> tuple[int, int]:
        """Return the numbers of recipients and of pending ones."""

    def ids(self) -> Iterator[str]:
        """Yield the ids in order. The rows may change meanwhile."""

    def oldest(self) -> str | None:
        """Return the first of the ids, or None."""

    def page(self, sort: str, offset: int, limit: int, *, descending: bool) -> Iterator[Recipient]:
        """Yield a part of the recipients who are not pending, sorted by id or by an attribute."""


def attribute_of(row: bytes, name: str) -> str:
    """Return an attribute of a recipient's row, which is empty if there is none."""
    return decode_row(row).data.get(name, "")


class MemoryRows:
    """Rows in memory."""

    def __init__(self) -> None:
        self._rows: dict[str, bytes] = {}
        self._pending: set[str] = set()
        self._sorted: list[str] | None = None
        """Ids in order, until one is added or removed."""

    def define(self, recipients: Sequence[Recipient]) -> None:
        """See `RecipientRows`; so for all methods."""
        self._rows.update((one.id, encode_row(one)) for one in recipients)

    def get(self, recipient_id: str) -> Recipient | None:
        row = self._rows.get(recipient_id)
        return None if row is None else decode_row(row)

    def put(self, recipient: Recipient) -> None:
        if recipient.id not in self._rows:
            self._sorted = None
        self._rows[recipient.id] = encode_row(recipient)
        (self._pending.add if recipient.is_pending else self._pending.discard)(recipient.id)

    def remove(self, recipient_id: str) -> None:
        if self._rows.pop(recipient_id, None) is not None:
            self._sorted = None
            self._pending.discard(recipient_id)

    def counts(self) -> tuple[int, int]:
        return len(self._rows), len(self._pending)

    def ids(self) -> Iterator[str]:
        return iter(list(self._rows))

    def oldest(self) -> str | None:
        return next(iter(self._rows), None)

    def page(self, sort: str, offset: int, limit: int, *, descending: bool) -> Iterator[Recipient]:
        if sort == ID:
            if self._sorted is None:
                self._sorted = sorted(self._rows)
            ids = self._sorted
        else:
            ids = sorted(self._rows, key=lambda one: attribute_of(self._rows[one], sort))
        if self._pending:
            ids = [one for one in ids if one not in self._pending]
        last = len(ids) - 1
        places = range(offset, min(offset + limit, len(ids)))
        return (decode_row(self._rows[ids[last - place if descending else place]]) for place in places)


class RecipientTable(MutableMapping[str, Recipient]):
    """The recipients of one list by their ids."""

    def __init__(self, rows: RecipientRows) -> None:
        self._rows = rows

    def __getitem__(self, recipient_id: str) -> Recipient:
        found = self._rows.get(recipient_id)
        if found is None:
            raise KeyError(recipient_id)
        return found

    def __contains__(self, recipient_id: object) -> bool:
        return isinstance(recipient_id, str) and self._rows.get(recipient_id) is not None

    def __setitem__(self, recipient_id: str, recipient: Recipient) -> None:
        self._rows.put(recipient)

    def __delitem__(self, recipient_id: str) -> None:
        self._rows.remove(recipient_id)

    def __iter__(self) -> Iterator[str]:
        return self._rows.ids()

    def __len__(self) -> int:
        return self._rows.counts()[0]

    def define(self, recipients: Sequence[Recipient]) -> None:
        """Begin with the recipients that are always there from the start, where no change says otherwise."""
        self._rows.define(recipients)

    def forget_oldest(self) -> None:
        """Remove the recipient who was added first, if there is one."""
        oldest = self._rows.oldest()
        if oldest is not None:
            self._rows.remove(oldest)

    @property
    def accessible_count(self) -> int:
        """Number of recipients who are not pending."""
        count, pending = self._rows.counts()
        return count - pending

    def page(self, sort: str, offset: int, limit: int, *, descending: bool) -> Iterator[Recipient]:
        """Yield a part of the recipients who are not pending, sorted by `ID` or by an attribute.

        Those with equal attributes are in the order in which they were added, or in reverse. No recipient may change
        before the last one.
        """
        return self._rows.page(sort, offset, limit, descending=descending)


MakeRows = Callable[[int, int], RecipientRows]
"""Makes the rows of a client's list, by the ids of both."""


def in_memory(client_id: int, list_id: int) -> RecipientRows:
    """Make rows in memory."""
    return MemoryRows()
