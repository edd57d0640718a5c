"""Examples in the OpenAPI document that exist in the served campaign, so that each call of Swagger UI can succeed."""

from __future__ import annotations

from mockcampaign.campaign import SAMPLE_MAILING_ID
from mockcampaign.clients.smart_campaign import CampaignKind
from mockcampaign.engine.journal import Attempted
from mockcampaign.server.http.openapi import Examples
from mockcampaign.server.served_campaign import ServedCampaign

RECIPIENT = "ann@example.com"
UNSUBSCRIBED = "ben@example.com"
TARGET = "http://127.0.0.1:8000/hook"
PROBE = "http://127.0.0.1:8000/processed"
SCENARIO = f"""\
name: a batch and a half
consumer: {{url: "{TARGET}"}}
webhooks: {{opens: {{type: open}}}}
steps:
  - activate: opens
  - emit: {{type: open, count: 150}}
  - run: until-idle
  - expect: {{opens: {{delivered: 150}}}}
"""
NO_MAIL_ID = "AAAAAAAA-AAAAAAAA-AAAAAA"
"""Id of a mail that nobody has sent."""


def examples(served: ServedCampaign) -> Examples:
    """Return the examples of this moment: what exists, or else what would be created next."""
    campaign, client_id = served.campaign, served.users.client_ids[0]
    state = campaign.client(client_id).state
    webhooks = campaign.webhooks.ids_of_client(client_id)
    webhook_id = webhooks[-1] if webhooks else campaign.next_webhook_id
    mails = state.campaigns_of(CampaignKind.EVENT)
    mail_id, list_ids = (mails[0].id, mails[0].list_ids) if mails else (1, tuple(state.lists))
    list_id = next(iter(list_ids), 1)
    regular = state.campaigns_of(CampaignKind.REGULAR)
    campaign_id = regular[-1].id if regular else campaign.next_object_id
    messages = regular[-1].messages if regular else ()
    sent = campaign.client(client_id).mails()
    sent_id = sent[-1].facts.mail_id if sent else NO_MAIL_ID
    held = campaign.journal
    attempts = [position for position, entry in enumerate(held.entries, held.dropped) if isinstance(entry, Attempted)]
    return Examples(
        fields={
            "webhookId": webhook_id,
            "targetUrl": TARGET,
            "campaignId": campaign_id,
            "mailingId": messages[-1].mailing_id if messages else campaign.next_object_id + 1,
            "recipientListId": list_id,
            "recipientListIds": str(list_id),
            "optinProcessId": next(iter(state.optin_processes), 1),
            "recipientId": RECIPIENT,
            "transactionalMailId": mail_id,
            "mailId": sent_id,
            "entry": "*@spam.example.com",
            "address": RECIPIENT,
            "category": "hardbounce",
            "name": "Newsletter",
            "content": "Hello",
            "subject": "Hello",
            "senderAddress": "sender@example.com",
            "newPassword": "another-password",
            "position": attempts[-1] if attempts else 0,
            "number": next((declared.number for declared in campaign.declared_faults()), 1),
            "id": max((job.number for job in served.jobs), default=1),
        },
        of_operations={
            "verifyWebhook": {"mailingId": SAMPLE_MAILING_ID},
            # Another recipient, so that mails to the first one are still sent.
            "createUnsubscribes": {"recipientIds": UNSUBSCRIBED},
            "removeUnsubscribes": {"recipientIds": UNSUBSCRIBED},
            "stream": {"for": "1s"},
        },
        bodies={
            "addRecipients": {"recipients": [{"id": RECIPIENT}, {"id": UNSUBSCRIBED, "data": {"city": "Berlin"}}]},
            "addWebhook": {"type": "open", "targetUrl": TARGET, "authentication": {"type": "none"}},
            "changeWebhook": {"targetUrl": TARGET},
            "verify": {"numberOfEvents": 1},
            "emit": {"type": "open", "count": 10},
            "sendMailing": {"recipients": 1000},
            "sendMail": {"recipientId": RECIPIENT},
            "act": {"mailId": sent_id, "type": "open"},
            "advance": {"by": "10m"},
            "setSpeed": {"speed": campaign.pacer.speed},
            "startCheck": {"target": TARGET, "probe": {"url": PROBE}, "rules": ["redelivery"]},
            "expect": {str(webhook_id): {"pending": 0}} if webhooks else {"api": {}},
            "runScenario": {"scenario": SCENARIO},
            "declareOutage": {"for": "2h", "kind": "refused"},
            "declareFault": {"kind": "lost-ack", "times": 1},
            "rotateUserPassword": {"password": "another-password"},
        },
    )
