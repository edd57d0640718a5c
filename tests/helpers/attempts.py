"""A run with very many attempts."""

from __future__ import annotations

import random

import msgspec

from builders import START, activated, exporter
from mockcampaign.engine.journal import Attempted, Entry, Happened
from mockcampaign.model import EventType, Measured, Responded


def many_attempts(count: int) -> list[Entry]:
    """Lists of one event as large as real ones, each answered differently, so that nothing folds."""
    draw = random.Random(1)
    box = exporter()
    activated(box)
    entries = list(box.journal.entries)
    for number in range(1, count + 1):
        at = START + number * 700
        event = msgspec.json.encode(
            {
                "type": "open",
                "recipientId": str(draw.randrange(10**11, 10**12)),
                "userListId": 123456789003,
                "remoteAddress": f"203.0.{draw.randrange(255)}.{draw.randrange(255)}",
                "clientId": 123456789001,
                "mailingId": 123456789004,
                "created": at,
                "subscriptionId": draw.randrange(10**6, 10**7),
                "mailId": f"{draw.getrandbits(40):08X}-{draw.getrandbits(40):08X}-{draw.getrandbits(30):06X}",
                "device": "desktop",
                "operatingSystem": "Windows 10",
                "browser": "Firefox 64.1",
            }
        )
        entries.append(
            Happened(
                at=at,
                client_id=7,
                type=EventType.OPEN,
                first_serial=number,
                events=(msgspec.Raw(event),),
                webhook_ids=(1,),
            )
        )
        measured = Measured(draw.randrange(400, 500), draw.randrange(90, 120), draw.randrange(300, 30_000))
        entries.append(
            Attempted(
                at=at,
                webhook_id=1,
                serials=((number, number),),
                first_number=1,
                count=1,
                interval=0,
                took=0,
                outcome=Responded(
                    200,
                    (("x-request-id", f"{draw.getrandbits(128):032x}"),),
                    b"stored %d" % number,
                    12,
                    measured=measured,
                ),
            )
        )
    return entries
