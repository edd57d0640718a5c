"""How the recipients of a mailing behave: one rate for each thing they may do, and where its default comes from."""

from __future__ import annotations

import msgspec

from mockcampaign.errors import InvalidInputError


class Rates(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How recipients behave: shares from 0 to 1, with defaults from public reports where there are any.

    None of them is documented by the vendor. Raises `InvalidInputError` for a share out of range.
    """

    filtered: float = 0.001
    """Of mails: the address is in the blocklist, so that nothing is sent. Assumed."""
    hard_bouncing: float = 0.0040
    """Of sent mails. Mailchimp, "Email Marketing Statistics and Benchmarks by Industry" (October 2019), all accounts
    without a label: 0.40 %."""
    soft_bouncing: float = 0.0061
    """Of sent mails. The same report: 0.61 %."""
    opening: float = 0.2271
    """Of delivered mails that a person reads. The same report, of the time before Apple's privacy proxy: 22.71 %."""
    clicking: float = 0.128
    """Of mails that a person reads: a link is clicked. The same report: 2.91 % clicks to 22.71 % opens."""
    clicking_on: float = 0.3
    """Of clicks that are followed by one on another link. Assumed."""
    blocking: float = 0.05
    """Of persons that click: images are blocked, so that no open comes before the click. Assumed."""
    reopening: float = 0.25
    """Of opens that the same person follows up with another one later. Assumed."""
    second_device: float = 0.12
    """Of those later opens and their clicks: on another device, elsewhere. Assumed."""
    reloading: float = 0.03
    """Of opens: the client fetches the images once more within seconds. Assumed."""
    forwarding: float = 0.004
    """Of read mails: sent on to one to four others, who open the very same mail. Assumed."""
    unsubscribing: float = 0.0110
    """Of read mails. The same report: 0.25 % of delivered mails."""
    complaining: float = 0.0013
    """Of read mails. Mailchimp's report of May 2016: about 0.03 % of delivered mails."""
    prefetched: float = 0.18
    """Of mailboxes: behind a privacy proxy that fetches all images, read or not, and hides the person's own open. Such
    that the proxy makes 41 % of opens, as Litmus counted in December 2021; then 37 % of delivered mails show an open,
    and Mailchimp reports 35 to 36 % since (neverbounce.com, "2025 email benchmark report")."""
    scanned: float = 0.002
    """Of mails: a security scanner opens it and clicks every link within seconds. Assumed, such that scanners make a
    fifth of clicks (live-direct-marketing.online, "Bot clicks from security scanners": 10 to 30 %)."""
    in_two_lists: float = 0.02
    """Of recipients: they are in two of the mailing's lists, and get two mails. Assumed."""
    twins: float = 0.0
    """Of opens and clicks: reported twice, the same in every field, as in the guide's example list. Off, as nobody says
    how often that happens."""

    def __post_init__(self) -> None:
        for name, rate in msgspec.structs.asdict(self).items():
            if not 0 <= rate <= 1:
                raise InvalidInputError(f"rates.{name}: {rate} is out of range, allowed: 0 to 1")
        if self.hard_bouncing + self.soft_bouncing > 1:
            raise InvalidInputError("rates.hard_bouncing and rates.soft_bouncing: together above 1")
        for name in ("clicking_on", "reopening"):
            if getattr(self, name) > 0.9:
                raise InvalidInputError(f"rates.{name}: {getattr(self, name)} has no end, allowed: 0 to 0.9")


DEFAULT_RATES = Rates()
