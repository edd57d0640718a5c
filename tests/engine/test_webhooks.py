from __future__ import annotations

import pytest

from mockcampaign.engine.webhooks import WebhookRegistry
from mockcampaign.errors import WebhookCommandRejectedError, WebhookNotFoundError, WebhookOfAnotherClientError
from mockcampaign.model import BasicAuthentication, EventType, WebhookStatus

# The commands that lead to a status, and the status after each further command; None: the command is rejected.
LIVES: dict[str, list[str]] = {"created": [], "activated": ["activate"], "deactivated": ["activate", "deactivate"]} | {
    "suspended": ["activate", "suspend"]
}
AFTER: dict[tuple[str, str], str | None] = {
    ("created", "update"): "created",
    ("created", "activate"): "activated",
    ("created", "deactivate"): None,
    ("created", "delete"): None,
    ("activated", "update"): "activated",
    ("activated", "activate"): None,
    ("activated", "deactivate"): "deactivated",
    ("activated", "delete"): None,
    ("deactivated", "update"): "deactivated",
    ("deactivated", "activate"): "activated",
    ("deactivated", "deactivate"): None,
    ("deactivated", "delete"): "deleted",
    ("created", "suspend"): None,
    ("activated", "suspend"): "suspended",
    ("deactivated", "suspend"): None,
    ("suspended", "update"): "suspended",
    ("suspended", "activate"): "activated",
    ("suspended", "deactivate"): None,
    ("suspended", "suspend"): None,
    ("suspended", "delete"): None,
}


def registry_with_one(status: str = "created") -> WebhookRegistry:
    registry = WebhookRegistry(10)
    registry.create(1, EventType.OPEN, "http://a/", now=5)
    for command in LIVES[status]:
        getattr(registry, command)(1, 1, now=6)
    return registry


@pytest.mark.parametrize(("status", "command"), AFTER)
def test_which_status_each_command_leads_to(status: str, command: str) -> None:
    registry, after = registry_with_one(status), AFTER[status, command]
    if after is None:
        with pytest.raises(
            WebhookCommandRejectedError, match=f"^cannot {command} webhook 1 in status {status}, allowed in"
        ):
            getattr(registry, command)(1, 1, now=9)
        assert registry.get(1, 1).status == status
    else:
        webhook = getattr(registry, command)(1, 1, now=9)
        assert (webhook.status, webhook.created, webhook.modified) == (after, 5, 9)


def test_the_table_above_is_complete() -> None:
    commands = {"update", "activate", "deactivate", "suspend", "delete"}
    assert set(AFTER) == {(status, command) for status in LIVES for command in commands}
    assert {status.value for status in WebhookStatus} - set(LIVES) == {"deleted"}


def test_a_deleted_webhook_does_not_exist() -> None:
    registry = registry_with_one("deactivated")
    registry.delete(1, 1, now=9)
    assert registry.of_client(1) == []
    with pytest.raises(WebhookNotFoundError, match=r"^webhook 1 does not exist$"):
        registry.activate(1, 1, now=9)


def test_a_webhook_of_another_client_is_not_one_that_does_not_exist() -> None:
    registry = registry_with_one()
    with pytest.raises(WebhookOfAnotherClientError, match=r"^webhook 1 does not belong to client 2$") as other:
        registry.activate(2, 1, now=9)
    assert other.value.http_status_code == 409
    with pytest.raises(WebhookNotFoundError) as nobody:
        registry.activate(2, 99, now=9)
    assert nobody.value.http_status_code == 404


def test_the_creation_limit_counts_each_client_and_no_deleted_webhooks() -> None:
    registry = WebhookRegistry(10)
    for _ in range(10):
        registry.create(1, EventType.OPEN, "http://a/", now=0)
    with pytest.raises(WebhookCommandRejectedError, match="client 1 has 10 webhooks, which is the limit"):
        registry.create(1, EventType.OPEN, "http://a/", now=0)
    assert registry.create(2, EventType.OPEN, "http://a/", now=0).id == 11
    for command in ("activate", "deactivate", "delete"):
        getattr(registry, command)(1, 1, now=0)
    assert registry.create(1, EventType.OPEN, "http://a/", now=0).id == 12


def test_an_update_changes_what_it_names() -> None:
    registry = registry_with_one()
    secret = BasicAuthentication("acme", "geheim")
    assert registry.update(1, 1, now=9, authentication=secret).target_url == "http://a/"
    webhook = registry.update(1, 1, now=9, target_url="http://b/")
    assert (webhook.target_url, webhook.authentication) == ("http://b/", secret)
    assert "geheim" not in repr(webhook)


def test_a_deleted_webhook_is_found_as_it_was() -> None:
    registry = WebhookRegistry(1)
    webhook = registry.create(1, EventType.OPEN, "http://consumer/", now=5)
    assert registry.past_or_present(webhook.id) == webhook
    registry.activate(1, webhook.id, now=6)
    registry.deactivate(1, webhook.id, now=7)
    deleted = registry.delete(1, webhook.id, now=8)
    assert registry.past_or_present(webhook.id) == deleted
    assert deleted.status is WebhookStatus.DELETED
    with pytest.raises(WebhookNotFoundError, match="webhook 2 does not exist"):
        registry.past_or_present(2)
