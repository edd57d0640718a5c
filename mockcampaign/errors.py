"""Everything mockcampaign raises on purpose. A consumer's failure is a value (`model.Outcome`), never one of these."""

from __future__ import annotations


class MockcampaignError(Exception):
    """Base of all errors raised on purpose; its text is one line that a user can act on."""


class InvalidInputError(MockcampaignError):
    """Input refused before anything acted on it: what, where, and what would be allowed."""


class MisuseError(MockcampaignError):
    """A test asks for what cannot work; the text says what to do instead."""


class WebhookError(MockcampaignError):
    """The webhook registry refuses a command; subclasses say why (statuses: the vendor's API description)."""

    http_status_code = 400


class WebhookNotFoundError(WebhookError):
    """No webhook of that id exists for any client."""

    http_status_code = 404


class WebhookOfAnotherClientError(WebhookError):
    """The webhook exists, but belongs to another client."""

    http_status_code = 409


class WebhookCommandRefusedError(WebhookError):
    """The webhook's status does not allow the command, or the client has too many webhooks."""


class CouldNotTellError(MockcampaignError):
    """Our own trouble, or a precondition that does not hold: no verdict on the consumer is possible."""


class ConsumerUnreachableError(CouldNotTellError):
    """The first attempt at a consumer could not connect although no outage was in force."""

    def __init__(self, cause: str, advice: str = "") -> None:
        super().__init__(f"{cause}: {advice}" if advice else cause)
        self.cause = cause


class CertificateError(ConsumerUnreachableError):
    """The certificate of the consumer, or of its probe, is not trusted."""


class RunNotEndedError(CouldNotTellError):
    """Letting time pass took longer than allowed; the text says how far it got."""
