"""Operations on unsubscribes, the blocklist and bounces, as `OPERATIONS`."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from mockcampaign.clients.suppression import BlocklistEntry, Unsubscribe, matches
from mockcampaign.errors import InvalidInputError, NotFoundError
from mockcampaign.server.http.operation import Call, Operation
from mockcampaign.server.http.request_fields import Id, SingleLine, TextList, Word, about
from mockcampaign.server.vendor_api.client_fields import ClientFields
from mockcampaign.server.vendor_api.collection import SortedQuery, ordered, page
from mockcampaign.server.vendor_api.recipient_list_operations import client_of
from mockcampaign.server.vendor_api.recipient_operations import MediaTypeWord
from mockcampaign.server.vendor_api.representations import (
    RestBlacklistEntry,
    RestBlacklistEntryStreamingCollection,
    RestCount,
    RestUnsubscribeStreamingCollection,
    show_blocklist_entry,
    show_unsubscribe,
)

UNSUBSCRIBES_MAX = 5_000
"""Maximum number of ids in one call (documented)."""


class UnsubscribeSort(Word):
    """Attributes that sort unsubscribes."""

    ID = "id"
    REASON = "reason"
    RECIPIENT_LIST_ID = "recipientListId"
    MAILING_ID = "mailingId"
    CREATED = "created"


class BlocklistSort(Word):
    """Attributes that sort blocklist entries."""

    PATTERN = "pattern"
    REASON = "reason"
    CREATED = "created"
    MODIFIED = "modified"


class BounceCategory(Word):
    """Categories of bounces that are counted."""

    HARDBOUNCE = "hardbounce"
    SOFTBOUNCE = "softbounce"


class RestUnsubscribesCreateResult(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The ids that succeeded, and those that did not."""

    successful_ids: list[str]
    unsuccessful_ids: list[str]


class RestBlacklistedEntry(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Whether an address is on the blocklist, and the entry that says so."""

    blacklisted: bool
    pattern: str = ""


_MEDIA_TYPE = "Media type; the double knows e-mail."


class UnsubscribeQuery(SortedQuery, frozen=True, kw_only=True):
    """The page of unsubscribes to return."""

    recipient_ids: Annotated[TextList, about("Only of these recipients, separated by commas.")] | None = None
    media_type: Annotated[MediaTypeWord, about(_MEDIA_TYPE)] | None = None
    recipient_list_id: Annotated[Id, about("Only of this recipient list.")] | None = None
    sort: Annotated[UnsubscribeSort, about("What to sort by, in upper or lower case.")] = UnsubscribeSort.CREATED


class UnsubscribeForm(ClientFields, frozen=True, kw_only=True):
    """Recipients to unsubscribe."""

    recipient_ids: Annotated[TextList, about("Ids of recipients, separated by commas or one each.")] | None = None
    mail_ids: Annotated[TextList, about("Ids of mails whose recipients are meant.")] | None = None
    media_type: Annotated[MediaTypeWord, about(_MEDIA_TYPE)] | None = None
    recipient_list_id: Annotated[Id, about("Recipient list to note with the unsubscribes.")] | None = None


class RemoveUnsubscribesQuery(ClientFields, frozen=True, kw_only=True):
    """Recipients whose unsubscribes are taken back."""

    recipient_ids: Annotated[TextList, about("Ids of recipients, separated by commas.")]
    media_type: Annotated[MediaTypeWord, about(_MEDIA_TYPE)] | None = None
    recipient_list_id: Annotated[Id, about("Recipient list; unsubscribes concern all lists.")] | None = None


class BlocklistQuery(SortedQuery, frozen=True, kw_only=True):
    """The page of blocklist entries to return."""

    pattern: Annotated[TextList, about("Only entries that match one of these patterns.")] | None = None
    reason: Annotated[SingleLine, about("Only entries with this reason.")] | None = None
    sort: Annotated[BlocklistSort, about("What to sort by, in upper or lower case.")] = BlocklistSort.CREATED


class BlocklistForm(ClientFields, frozen=True, kw_only=True):
    """A new blocklist entry."""

    entry: Annotated[SingleLine, about("An address, or a pattern in which `*` is any text.")]
    reason: Annotated[SingleLine, about("Why it is on the blocklist.")] | None = None


class BlocklistEntryFields(ClientFields, frozen=True, kw_only=True):
    """The path to one blocklist entry."""

    entry: Annotated[SingleLine, about("The entry's address or pattern.")]


class AddressQuery(ClientFields, frozen=True, kw_only=True):
    """The address to check."""

    address: Annotated[SingleLine, about("The address.")]


class BounceFields(ClientFields, frozen=True, kw_only=True):
    """The path to the bounces of a recipient."""

    recipient_id: Annotated[SingleLine, about("Id of the recipient, as a rule the e-mail address.")]


class ResetBouncesQuery(BounceFields, frozen=True, kw_only=True):
    """The bounces to forget."""

    media_type: Annotated[MediaTypeWord, about(_MEDIA_TYPE)] = MediaTypeWord.EMAIL


class BounceQuery(ResetBouncesQuery, frozen=True, kw_only=True):
    """The bounces to count."""

    category: Annotated[BounceCategory, about("Category of the bounces, in upper or lower case.")]


def _select_unsubscribes(call: Call, query: UnsubscribeQuery) -> RestUnsubscribeStreamingCollection:
    wanted = None if query.recipient_ids is None else set(query.recipient_ids.value)
    found = [
        one
        for one in client_of(call, query).state.unsubscribes.values()
        if (wanted is None or one.recipient_id in wanted)
        and query.recipient_list_id in (None, one.list_id)
        and query.media_type in (None, MediaTypeWord.EMAIL)
    ]

    def key(one: Unsubscribe) -> tuple[str | int, ...]:
        values: dict[str, str | int] = {
            "id": one.recipient_id,
            "reason": one.reason,
            "recipientListId": one.list_id or 0,
            "mailingId": one.mailing_id or 0,
            "created": one.created,
        }
        return (values[query.sort.value],)

    return page(
        RestUnsubscribeStreamingCollection,
        call,
        ordered(found, key, query.direction),
        show_unsubscribe,
        offset=query.offset,
        limit=query.limit,
    )


def _unsubscribe(call: Call, form: UnsubscribeForm) -> RestUnsubscribesCreateResult:
    recipient_ids = () if form.recipient_ids is None else form.recipient_ids.value
    mail_ids = () if form.mail_ids is None else form.mail_ids.value
    if not 1 <= len(recipient_ids) + len(mail_ids) <= UNSUBSCRIBES_MAX:
        raise InvalidInputError(
            f"recipientIds, mailIds: {len(recipient_ids) + len(mail_ids)} ids, allowed: 1 to {UNSUBSCRIBES_MAX}"
        )
    succeeded, failed = client_of(call, form).unsubscribe(recipient_ids, mail_ids, list_id=form.recipient_list_id)
    return RestUnsubscribesCreateResult(successful_ids=succeeded, unsuccessful_ids=failed)


def _remove_unsubscribes(call: Call, query: RemoveUnsubscribesQuery) -> None:
    client_of(call, query).remove_unsubscribes(query.recipient_ids.value)


def _select_entries(call: Call, query: BlocklistQuery) -> RestBlacklistEntryStreamingCollection:
    patterns = None if query.pattern is None else query.pattern.value
    found = [
        entry
        for entry in client_of(call, query).state.blocklist
        if (patterns is None or any(matches(pattern, entry.pattern) for pattern in patterns))
        and query.reason in (None, entry.reason)
    ]

    def represent(entry: BlocklistEntry) -> RestBlacklistEntry:
        return show_blocklist_entry(query.client_id, entry)

    return page(
        RestBlacklistEntryStreamingCollection,
        call,
        ordered(found, lambda entry: getattr(entry, query.sort), query.direction),
        represent,
        offset=query.offset,
        limit=query.limit,
    )


def _block(call: Call, form: BlocklistForm) -> RestBlacklistEntry:
    return show_blocklist_entry(form.client_id, client_of(call, form).block(form.entry, form.reason or ""))


def _get_entry(call: Call, fields: BlocklistEntryFields) -> RestBlacklistEntry:
    entry = client_of(call, fields).state.blocklist.get(fields.entry)
    if entry is None:
        raise NotFoundError("the blocklist entry does not exist")
    return show_blocklist_entry(fields.client_id, entry)


def _unblock(call: Call, fields: BlocklistEntryFields) -> None:
    client_of(call, fields).unblock(fields.entry)


def _is_blocked(call: Call, query: AddressQuery) -> RestBlacklistedEntry:
    entry = client_of(call, query).state.blocklist.match(query.address)
    return RestBlacklistedEntry(blacklisted=entry is not None, pattern="" if entry is None else entry.pattern)


def _bounces(call: Call, query: BounceQuery) -> RestCount:
    state = client_of(call, query).state
    hard, soft = state.bounces(state.address_of(query.recipient_id))
    if query.media_type is not MediaTypeWord.EMAIL:
        return RestCount(count=0)
    return RestCount(count=hard if query.category is BounceCategory.HARDBOUNCE else soft)


def _reset_bounces(call: Call, query: ResetBouncesQuery) -> None:
    if query.media_type is MediaTypeWord.EMAIL:
        client_of(call, query).reset_bounces(query.recipient_id)


_UNSUBSCRIBES, _BLOCKLIST, _RESPONSES = "Unsubscribes", "Blocklist entries", "Responses"
_NO_ENTRY = {404: "The blocklist entry does not exist."}

OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        id="selectUnsubscribes",
        title="Get information about all unsubscribe entries",
        tag=_UNSUBSCRIBES,
        method="GET",
        path="/unsubscribes",
        fields=UnsubscribeQuery,
        success_description="A page of the client's unsubscribes; empty if there are none.",
        response=RestUnsubscribeStreamingCollection,
        handle=_select_unsubscribes,
    ),
    Operation(
        id="createUnsubscribes",
        title="Unsubscribe recipients",
        description="Unsubscribes concern all recipient lists (assumed). Each causes an event.",
        tag=_UNSUBSCRIBES,
        method="POST",
        path="/unsubscribes",
        fields=UnsubscribeForm,
        success_description="The ids that succeeded, and those that did not.",
        response=RestUnsubscribesCreateResult,
        handle=_unsubscribe,
    ),
    Operation(
        id="removeUnsubscribes",
        title="Remove recipients from the unsubscribe list",
        tag=_UNSUBSCRIBES,
        method="DELETE",
        path="/unsubscribes",
        fields=RemoveUnsubscribesQuery,
        success=204,
        success_description="The unsubscribes are removed.",
        failures={404: "A recipient has not unsubscribed."},
        handle=_remove_unsubscribes,
    ),
    Operation(
        id="findAllBlacklistEntries",
        title="Get information about all blocklist entries",
        tag=_BLOCKLIST,
        method="GET",
        path="/blacklistentries",
        fields=BlocklistQuery,
        success_description="A page of the client's blocklist; empty if there are no entries.",
        response=RestBlacklistEntryStreamingCollection,
        handle=_select_entries,
    ),
    Operation(
        id="createBlacklistEntry",
        title="Create a blocklist entry",
        description="A new entry causes an event.",
        tag=_BLOCKLIST,
        method="POST",
        path="/blacklistentries",
        fields=BlocklistForm,
        success=201,
        success_description="The entry is created.",
        response=RestBlacklistEntry,
        handle=_block,
    ),
    Operation(
        id="blacklisted",
        title="Check whether an address is blocklisted",
        tag=_BLOCKLIST,
        method="GET",
        path="/blacklistentries/blacklisted",
        fields=AddressQuery,
        success_description="Whether the address is on the blocklist.",
        response=RestBlacklistedEntry,
        handle=_is_blocked,
    ),
    Operation(
        id="getBlacklistEntry",
        title="Get information about a blocklist entry",
        tag=_BLOCKLIST,
        method="GET",
        path="/blacklistentries/{entry}",
        fields=BlocklistEntryFields,
        success_description="The entry.",
        response=RestBlacklistEntry,
        failures=_NO_ENTRY,
        handle=_get_entry,
    ),
    Operation(
        id="deleteBlacklistEntry",
        title="Delete a blocklist entry",
        tag=_BLOCKLIST,
        method="DELETE",
        path="/blacklistentries/{entry}",
        fields=BlocklistEntryFields,
        success=204,
        success_description="The entry is deleted.",
        failures=_NO_ENTRY,
        handle=_unblock,
    ),
    Operation(
        id="getBounceCounter",
        title="Get the number of hard or soft bounces of a recipient",
        tag=_RESPONSES,
        method="GET",
        path="/responses/bounces/{recipientId}",
        fields=BounceQuery,
        success_description="The number of bounces.",
        response=RestCount,
        handle=_bounces,
    ),
    Operation(
        id="resetBounceCounter",
        title="Delete hard and soft bounces",
        tag=_RESPONSES,
        method="DELETE",
        path="/responses/bounces/{recipientId}",
        fields=ResetBouncesQuery,
        success=204,
        success_description="The bounces of the recipient are forgotten.",
        handle=_reset_bounces,
    ),
)
