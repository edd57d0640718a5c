"""The plugin in separate pytest runs: what it imports, and whether it works beside other plugins."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

import pytest

from whole_runs import DELIVERING, whole_run


def test_unused_it_imports_nothing_but_the_table_of_formats(tmp_path: Path) -> None:
    status, printed = whole_run(
        tmp_path,
        "def test_it():\n"
        "    import sys\n"
        "    heavy = {'hypothesis', 'starlette', 'uvicorn', 'pydantic', 'httptools', 'msgspec', 'yaml', 'jmespath'}\n"
        "    assert 'mockcampaign.pytest_plugin' in sys.modules\n"
        "    assert not heavy & set(sys.modules)\n"
        "    ours = sorted(name for name in sys.modules if name.startswith('mockcampaign'))\n"
        "    table = ['mockcampaign.report', 'mockcampaign.report.formats']\n"
        "    assert ours == ['mockcampaign', 'mockcampaign.pytest_plugin', *table]\n",
    )
    assert status == 0, printed


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "plugins", "arguments"),
    [
        ("xdist", ("xdist",), ("-n", "2")),
        ("pytest_randomly", ("randomly",), ()),
    ],
)
def test_works_beside_other_plugins(
    tmp_path: Path, module: str, plugins: tuple[str, ...], arguments: tuple[str, ...]
) -> None:
    pytest.importorskip(module)
    names = {plugin.name for plugin in entry_points(group="pytest11") if plugin.value.startswith(module)}
    status, printed = whole_run(tmp_path, DELIVERING, *arguments, plugins=tuple(names))
    assert status == 0, printed
    assert "6 passed" in printed
