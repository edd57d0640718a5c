"""Reading the lines of a journal by themselves, without the file and its headings."""

from __future__ import annotations

import msgspec

from mockcampaign.engine.journal import Entry


def read_journal(json_lines: bytes) -> list[Entry]:
    """The entries that `Journal.to_json_lines` wrote."""
    decoder = msgspec.json.Decoder(Entry)
    return [decoder.decode(line) for line in json_lines.splitlines()]
