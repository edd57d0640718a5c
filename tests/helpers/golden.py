"""Outputs that are kept as files, to be compared byte by byte. GOLDEN=write makes the files anew: read the diff."""

from __future__ import annotations

import os

from places import TESTS

FOLDER = TESTS / "golden"


def check_golden(name: str, actual: str | bytes) -> None:
    """The file must hold exactly this."""
    content = actual.encode() if isinstance(actual, str) else actual
    path = FOLDER / name
    if os.environ.get("GOLDEN") == "write":
        path.write_bytes(content)
    assert path.read_bytes() == content, f"{path} differs; GOLDEN=write makes it anew"
