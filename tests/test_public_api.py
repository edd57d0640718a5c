"""The public names are those that a file lists. A change of the file is a change for users."""

from __future__ import annotations

from golden import check_golden
from places import ROOT
from public_api import MODULES, lines

HEADING = "# Every public name, as docs/reference/stability.md promises it. GOLDEN=write makes this file anew.\n"


def test_every_public_name_has_the_signature_that_the_file_lists() -> None:
    check_golden("public-api.txt", HEADING + "\n".join(lines()) + "\n")


def test_the_policy_names_the_modules_that_are_public() -> None:
    page = (ROOT / "docs/reference/stability.md").read_text()
    assert [name for name in MODULES if f"`{name}`" not in page] == []
    assert "tests/golden/public-api.txt" in page
