"""Operations on recipient lists and opt-in processes, as `OPERATIONS`."""

from __future__ import annotations

from typing import Annotated, Any

from mockcampaign.clients import Client
from mockcampaign.clients.optin_process import OptinProcess
from mockcampaign.clients.recipient_list import RecipientList
from mockcampaign.server.http.operation import Call, Operation
from mockcampaign.server.http.request_fields import Flag, Id, Word, about
from mockcampaign.server.vendor_api.client_fields import ClientFields
from mockcampaign.server.vendor_api.collection import Limit, Offset, PageQuery, SortedQuery, ordered, page
from mockcampaign.server.vendor_api.representations import (
    RestOptinProcess,
    RestOptinProcessStreamingCollection,
    RestRecipientList,
    RestRecipientListAttributeNames,
    RestRecipientListFieldStreamingCollection,
    RestRecipientListStreamingCollection,
    show_field,
    show_list,
    show_optin_process,
)


class RecipientListSort(Word):
    """Attributes that sort recipient lists."""

    NAME = "name"
    CREATED = "created"
    MODIFIED = "modified"


class RecipientListQuery(SortedQuery, frozen=True, kw_only=True):
    """The page of recipient lists to return."""

    include_test_lists: Annotated[Flag, about("Whether to return test lists, too.")] = Flag.TRUE
    sort: Annotated[RecipientListSort, about("What to sort by, in upper or lower case.")] = RecipientListSort.CREATED


class RecipientListFields(ClientFields, frozen=True, kw_only=True):
    """The path to one recipient list."""

    recipient_list_id: Annotated[Id, about("Id of the recipient list.")]


class FieldsQuery(RecipientListFields, frozen=True, kw_only=True):
    """The page of a recipient list's fields to return. Sent by the vendor's own client, but not documented."""

    offset: Offset = 0
    limit: Limit = 100


class OptinProcessQuery(PageQuery, frozen=True, kw_only=True):
    """The page of opt-in processes to return."""

    has_mailing: Annotated[Flag, about("Only processes with, or without, a confirmation mail.")] | None = None


class OptinProcessFields(ClientFields, frozen=True, kw_only=True):
    """The path to one opt-in process."""

    optin_process_id: Annotated[Id, about("Id of the opt-in process.")]


def client_of(call: Call, fields: ClientFields) -> Client:
    """Return the client of a call, as it is at this moment."""
    return call.served.campaign.client(fields.client_id)


def _select(call: Call, query: RecipientListQuery) -> RestRecipientListStreamingCollection:
    store = client_of(call, query).state
    lists = [one for one in store.lists.values() if query.include_test_lists is Flag.TRUE or not one.is_test]

    def represent(found: RecipientList) -> RestRecipientList:
        return show_list(store, found)

    return page(
        RestRecipientListStreamingCollection,
        call,
        ordered(lists, lambda one: getattr(one, query.sort), query.direction),
        represent,
        offset=query.offset,
        limit=query.limit,
    )


def _get(call: Call, fields: RecipientListFields) -> RestRecipientList:
    store = client_of(call, fields).state
    return show_list(store, store.get_list(fields.recipient_list_id))


def _fields(call: Call, query: FieldsQuery) -> RestRecipientListFieldStreamingCollection:
    found = client_of(call, query).state.get_list(query.recipient_list_id).fields
    return page(
        RestRecipientListFieldStreamingCollection,
        call,
        found,
        show_field,
        offset=query.offset,
        limit=query.limit,
    )


def _attribute_names(call: Call, fields: RecipientListFields) -> RestRecipientListAttributeNames:
    found = client_of(call, fields).state.get_list(fields.recipient_list_id).fields
    return RestRecipientListAttributeNames(attribute_names=[field.name for field in found])


def _select_optin_processes(call: Call, query: OptinProcessQuery) -> RestOptinProcessStreamingCollection:
    def is_wanted(process: OptinProcess) -> bool:
        has_mailing = process.confirmation_mailing_id is not None
        return query.has_mailing is None or (query.has_mailing is Flag.TRUE) == has_mailing

    return page(
        RestOptinProcessStreamingCollection,
        call,
        [process for process in client_of(call, query).state.optin_processes.values() if is_wanted(process)],
        show_optin_process,
        offset=query.offset,
        limit=query.limit,
    )


def _get_optin_process(call: Call, fields: OptinProcessFields) -> RestOptinProcess:
    return show_optin_process(client_of(call, fields).state.get_optin_process(fields.optin_process_id))


_TAG, _OPTIN_TAG = "Recipient lists", "Opt-in processes"
NOT_OF_CLIENT = {409: "The recipient list is not assigned to this client."}
"""Failure of operations on a recipient list."""

OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        id="selectRecipientLists",
        title="Get information about all recipient lists",
        description="Every client has lists from the start: no operation creates one.",
        tag=_TAG,
        method="GET",
        path="/recipientlists",
        fields=RecipientListQuery,
        success_description="A page of the client's recipient lists.",
        response=RestRecipientListStreamingCollection,
        handle=_select,
    ),
    Operation(
        id="getRecipientList",
        title="Get information about a recipient list",
        tag=_TAG,
        method="GET",
        path="/recipientlists/{recipientListId}",
        fields=RecipientListFields,
        success_description="The recipient list.",
        response=RestRecipientList,
        failures=NOT_OF_CLIENT,
        handle=_get,
    ),
    Operation(
        id="getRecipientListFields",
        title="Get information about all fields of a recipient list",
        tag=_TAG,
        method="GET",
        path="/recipientlists/{recipientListId}/fields",
        fields=FieldsQuery,
        success_description="A page of the list's fields.",
        response=RestRecipientListFieldStreamingCollection,
        failures=NOT_OF_CLIENT,
        handle=_fields,
    ),
    Operation(
        id="getRecipientListAttributeNames",
        title="Get the attribute names of a recipient list",
        tag=_TAG,
        method="GET",
        path="/recipientlists/{recipientListId}/attributeNames",
        fields=RecipientListFields,
        success_description="The internal names of the list's fields.",
        response=RestRecipientListAttributeNames,
        failures=NOT_OF_CLIENT,
        handle=_attribute_names,
    ),
    Operation(
        id="selectOptinProcesses",
        title="Get information about all opt-in processes",
        tag=_OPTIN_TAG,
        method="GET",
        path="/optinprocesses",
        fields=OptinProcessQuery,
        success_description="A page of the client's opt-in processes.",
        response=RestOptinProcessStreamingCollection,
        handle=_select_optin_processes,
    ),
    Operation(
        id="getOptinProcess",
        title="Get information about an opt-in process",
        tag=_OPTIN_TAG,
        method="GET",
        path="/optinprocesses/{optinProcessId}",
        fields=OptinProcessFields,
        success_description="The opt-in process.",
        response=RestOptinProcess,
        failures={409: "The opt-in process is not assigned to this client."},
        handle=_get_optin_process,
    ),
)
