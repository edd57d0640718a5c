"""The plugin in separate pytest runs: what it imports, and whether it works beside other plugins."""

from __future__ import annotations

import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from conftest import Inner
from whole_runs import DELIVERING, whole_run


def test_unused_it_imports_nothing_else(tmp_path: Path) -> None:
    status, printed = whole_run(
        tmp_path,
        "def test_it():\n"
        "    import sys\n"
        "    heavy = {'hypothesis', 'starlette', 'uvicorn', 'pydantic', 'httptools', 'msgspec', 'yaml', 'jmespath'}\n"
        "    heavy |= {'a2wsgi', 'anyio', 'click', 'hdrh', 'jinja2', 'markdown_it', 'rich', 'sqlalchemy'}\n"
        "    assert 'mockcampaign.pytest_plugin' in sys.modules\n"
        "    assert not heavy & set(sys.modules)\n"
        "    ours = sorted(name for name in sys.modules if name.startswith('mockcampaign'))\n"
        "    assert ours == ['mockcampaign', 'mockcampaign.pytest_plugin']\n",
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


BLOCKED = """
    import socket
    import pytest

    class SocketBlockedError(RuntimeError):
        pass

    SocketBlockedError.__module__ = "pytest_socket"  # whose blocking works like this

    @pytest.fixture
    def blocked(monkeypatch):
        class Guarded(socket.socket):
            def __new__(cls, family=-1, *args, **kwargs):
                if {unix} and family == socket.AF_UNIX:
                    return super().__new__(cls, family, *args, **kwargs)
                raise SocketBlockedError("A test tried to use socket.socket.")
        monkeypatch.setattr(socket, "socket", Guarded)

    @pytest.fixture
    def made_before(campaign_server):
        return campaign_server
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no Unix sockets")
@pytest.mark.parametrize(
    ("unix", "test"),
    [
        (
            False,
            "def test_it(blocked, campaign, app): campaign.emit(campaign.webhook('open', target=app)); campaign.run()",
        ),
        (
            True,
            "def test_it(blocked, campaign):\n"
            "        campaign.emit(campaign.webhook('open', target='http://127.0.0.1:9/'))\n"
            "        campaign.run()",
        ),
        (True, "def test_it(blocked, campaign_server): pass"),
    ],
    ids=["the loop", "the consumer", "the server"],
)
def test_blocked_sockets_are_one_clear_sentence(inner: Inner, unix: bool, test: str) -> None:
    result = inner(f"{BLOCKED.format(unix=unix)}\n    {test}\n")
    assert sum(result.parseoutcomes().get(outcome, 0) for outcome in ("failed", "error", "errors")) == 1
    result.stdout.fnmatch_lines(
        ["*pytest-socket blocks sockets in this test: mark it with @pytest.mark.enable_socket, or, *"]
    )
    assert "A test tried to use" not in result.stdout.str()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no Unix sockets")
def test_an_application_needs_the_socket_of_the_loop_alone(inner: Inner) -> None:
    source = (
        "def test_it(blocked, campaign, app): campaign.emit(campaign.webhook('open', target=app), 2); campaign.run()"
    )
    inner(f"{BLOCKED.format(unix=True)}\n    {source}\n").assert_outcomes(passed=1)
