"""The reference of the HTTP APIs lists the operations that the server has."""

from __future__ import annotations

from mockcampaign.server.app import APIS
from operation_tables import PAGE, with_tables


def test_the_page_agrees_with_the_definitions() -> None:
    page = PAGE.read_text(encoding="utf-8")
    # PYTHONPATH=tests/helpers python tests/helpers/operation_tables.py --write
    assert page == with_tables(page)
    for api in APIS:
        for operation in api.operations:
            assert f"| `{operation.method}` | `{api.prefix}{operation.path}` | {operation.title} |\n" in page
