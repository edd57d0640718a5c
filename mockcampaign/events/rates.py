"""The behaviour of a mailing's recipients: one rate for each kind of event, with the source of its default."""

from __future__ import annotations

import msgspec

from mockcampaign.errors import InvalidInputError


class Rates(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rates of recipients' behaviour, from 0 to 1, with defaults from public reports where there are any.

    The vendor documents none of them. Raises `InvalidInputError` for a share out of range.
    """

    filtered: float = 0.001
    """Share of mails that are not sent because their address is on the blocklist. Assumed."""
    hard_bouncing: float = 0.0040
    """Share of sent mails that bounce for good. Mailchimp, "Email Marketing Statistics and Benchmarks by Industry"
    (October 2019), all accounts without a label: 0.40 %."""
    soft_bouncing: float = 0.0061
    """Share of sent mails that bounce after retries. The same report: 0.61 %."""
    unknown_bouncing: float = 0.001
    """Share of all other sent mails that come back with a response that Campaign cannot put into a category. That there
    is such a category is documented (vendor's API description); assumed are the share, and that the mail was not
    delivered."""
    autoresponding: float = 0.005
    """Share of delivered mails that the mailbox of an absent recipient responds to, which Campaign reports as a bounce.
    The recipient exists and may read the mail later. The category is documented (vendor's API description), the share
    assumed."""
    untracked: float = 0.01
    """Share of recipients whose tracking is switched off, so that no open or click of theirs is reported. Switching off
    is documented (vendor's API description, `recipients/trackingoptout`); the share is assumed, and so is that all
    other events go on."""
    opening: float = 0.2271
    """Share of delivered mails that a person reads. The same report, before Apple's privacy proxy: 22.71 %."""
    clicking: float = 0.128
    """Share of read mails in which a link is clicked. The same report: 2.91 % clicks to 22.71 % opens."""
    clicking_on: float = 0.3
    """Share of clicks that are followed by another click in the same mail. Assumed."""
    blocking: float = 0.05
    """Share of clicking people whose client blocks images, so that no open precedes the click. Assumed."""
    reopening: float = 0.25
    """Share of opens that the same person follows with another one later. Assumed."""
    second_device: float = 0.12
    """Share of these later opens that happen on another device and address. Assumed."""
    reloading: float = 0.03
    """Share of opens after which the client fetches the images again within seconds. Assumed."""
    forwarding: float = 0.004
    """Share of read mails that are forwarded to one to four others, who open the same mail. Assumed."""
    unsubscribing: float = 0.0110
    """Share of read mails whose reader unsubscribes. The same report: 0.25 % of delivered mails."""
    complaining: float = 0.0013
    """Share of read mails whose reader complains about spam. Mailchimp, May 2016: about 0.03 % of delivered mails."""
    prefetched: float = 0.18
    """Share of mailboxes behind a privacy proxy, which fetches all images, read or not, and hides the person's own
    open. Chosen so that the proxy makes 41 % of opens, as Litmus counted in December 2021. Then 37 % of delivered mails
    show an open, and Mailchimp reports 35 to 36 % since (neverbounce.com, "2025 email benchmark report")."""
    scanned: float = 0.002
    """Share of mails that a security scanner opens, clicking every link within seconds. Assumed, so that scanners make
    a fifth of clicks (live-direct-marketing.online, "Bot clicks from security scanners": 10 to 30 %)."""
    in_two_lists: float = 0.02
    """Share of recipients who are in two of the mailing's lists and get two mails. Assumed."""
    twins: float = 0.0
    """Share of opens and clicks that are reported twice, equal in every field, as in the guide's example. Off by
    default, because the vendor does not say how often that happens."""

    def __post_init__(self) -> None:
        for name, rate in msgspec.structs.asdict(self).items():
            if not 0 <= rate <= 1:
                raise InvalidInputError(f"rates.{name}: {rate} is out of range, allowed: 0 to 1")
        if self.hard_bouncing + self.soft_bouncing > 1:
            raise InvalidInputError("rates.hard_bouncing and rates.soft_bouncing: together above 1")
        for name in ("clicking_on", "reopening"):
            if getattr(self, name) > 0.9:
                raise InvalidInputError(f"rates.{name}: {getattr(self, name)} would never end, allowed: 0 to 0.9")


DEFAULT_RATES = Rates()
