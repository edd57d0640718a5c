"""The tables of operations in the reference of the HTTP APIs, which the definitions give.

`PYTHONPATH=tests/helpers python tests/helpers/operation_tables.py --write` writes them.
"""

from __future__ import annotations

import sys

from mockcampaign.server.app import APIS
from mockcampaign.server.control_api.api import API as CONTROL_API
from mockcampaign.server.http.operation import Api
from places import ROOT

PAGE = ROOT / "docs" / "reference" / "http-api.md"

_TABLES = ("<!-- operations: written by tests/helpers/operation_tables.py -->\n", "<!-- end of operations -->\n")


def tables() -> str:
    """Return a table for each API, first that of the control API."""
    apis = sorted(APIS, key=lambda api: api is not CONTROL_API)
    return "\n".join(f"## {'Control' if api is CONTROL_API else 'REST'} API\n\n{_table(api)}" for api in apis)


def _table(api: Api) -> str:
    rows = [
        f"| `{operation.method}` | `{api.prefix}{operation.path}` | {operation.title} |\n"
        for operation in api.operations
    ]
    return "| method | path | what it does |\n|---|---|---|\n" + "".join(rows)


def with_tables(text: str) -> str:
    """Return the page with its tables as they should be."""
    before, _, rest = text.partition(_TABLES[0])
    return f"{before}{_TABLES[0]}\n{tables()}\n{_TABLES[1]}{rest.partition(_TABLES[1])[2]}"


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit("usage: operation_tables.py --write")
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
