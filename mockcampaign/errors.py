"""The errors that mockcampaign raises. A consumer's failure is a value (`model.Outcome`), never an error."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from mockcampaign.text import bounded


class MockcampaignError(Exception):
    """Base of all our errors; the text is one line that tells a user what to do.

    It repeats values of others, which may be endless, so it is cut off in the middle.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(bounded(message))


class InvalidInputError(MockcampaignError):
    """Input that is rejected before anything acts on it; the text says what, where, and what is allowed."""


@contextlib.contextmanager
def naming(place: str) -> Iterator[None]:
    """Put the option or field in question before the message of an `InvalidInputError`."""
    try:
        yield
    except InvalidInputError as error:
        raise InvalidInputError(f"{place}: {error}") from None


class WrongFieldsError(InvalidInputError):
    """Several fields of one input are rejected together."""

    def __init__(self, violations: list[str]) -> None:
        """`violations`: one for each wrong field, in the form `field: what, allowed: …`."""
        super().__init__("; ".join(violations))
        self.violations = violations


class MisuseError(MockcampaignError):
    """A test uses mockcampaign in a way that cannot work; the text says what to do instead."""


class RejectedError(MockcampaignError):
    """A command does not fit the state; subclasses say why (status codes: the vendor's API description)."""

    http_status_code = 400


class NotFoundError(RejectedError):
    """The client has nothing of that kind and id."""

    http_status_code = 404


class ConflictError(RejectedError):
    """It belongs to another client, exists already, or its state does not allow the command."""

    http_status_code = 409


class WebhookError(RejectedError):
    """The webhook registry rejects a command."""


class WebhookNotFoundError(WebhookError):
    """No client has a webhook with the id."""

    http_status_code = 404


class WebhookOfAnotherClientError(WebhookError):
    """The webhook belongs to another client."""

    http_status_code = 409


class WebhookCommandRejectedError(WebhookError):
    """The webhook's status does not allow the command, or the client has too many webhooks."""


class CouldNotTellError(MockcampaignError):
    """No verdict on the consumer is possible: our own trouble, or an unmet precondition."""


class StoreMissingError(CouldNotTellError):
    """The database or table that a probe reads does not exist. It may still be created: see `found_or_nothing`."""


class ClockNotLedError(CouldNotTellError):
    """The consumer's clock cannot be led, so what it does is no evidence: nothing is sent to it."""


class ConsumerUnreachableError(CouldNotTellError):
    """The first attempt at a consumer could not connect, without any outage."""

    def __init__(self, cause: str, advice: str = "") -> None:
        super().__init__(f"{cause}: {advice}" if advice else cause)
        self.cause = cause


class CertificateError(ConsumerUnreachableError):
    """The certificate of the consumer, or of its probe, is not trusted."""


class ConsumerRejectsError(CouldNotTellError):
    """The consumer has rejected the first attempts, all of them, and nobody has said that this is intended."""


class RunNotEndedError(CouldNotTellError):
    """A run took longer than allowed; the text says how far it got."""


def sockets_blocked(error: RuntimeError) -> MisuseError | None:
    """Return what to raise if pytest-socket has caused the error by blocking a socket, or else None."""
    if type(error).__module__ != "pytest_socket":
        return None
    return MisuseError(
        "pytest-socket blocks sockets in this test: mark it with @pytest.mark.enable_socket, or, if the consumer is an "
        "application in the test's process, use --allow-unix-socket: then only the event loop needs a socket"
    )
