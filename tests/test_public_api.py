"""The public names are those that a file lists. A change of the file is a change for users."""

from __future__ import annotations

import re

from golden import check_golden
from mockcampaign.scenario.language.expect import ConsumerExpectation
from mockcampaign.server.verdicts.check_request import ProbeAt
from places import ROOT
from public_api import MODULES, lines

HEADING = "# Every public name, as docs/reference/stability.md promises it. GOLDEN=write makes this file anew.\n"


def test_every_public_name_has_the_signature_that_the_file_lists() -> None:
    check_golden("public-api.txt", HEADING + "\n".join(lines()) + "\n")


def test_the_policy_names_the_modules_that_are_public() -> None:
    page = (ROOT / "docs/reference/stability.md").read_text()
    assert [name for name in MODULES if f"`{name}`" not in page] == []
    assert "tests/golden/public-api.txt" in page


def test_the_fields_that_a_probe_reports_have_one_name_at_every_door() -> None:
    public = "\n".join(lines())
    options = re.findall(r"^(mockcampaign .+) --probe URL$", public, re.MULTILINE)
    assert len(options) > 3
    assert [command for command in options if f"\n{command} --probe-fields FIELD,…\n" not in public] == []
    assert "CheckOptions['probe_fields']: " in public
    assert all(" fields: 'Collection[str] | None'" in one for one in public.splitlines() if "assert_compliant(" in one)
    assert [one.__struct_fields__[-1] for one in (ConsumerExpectation, ProbeAt)] == ["fields", "fields"]
    assert re.findall(r"^.*\bby: .*$", public, re.MULTILINE) == []  # a second name, as it once was
