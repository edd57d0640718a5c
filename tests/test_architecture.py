"""Lint as a test: who may import whom, who owns which library, and who may read a clock."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import mockcampaign

ROOT = Path(mockcampaign.__file__).parent

# From low to high; a room imports from lower levels and from itself. A new module has to be entered here.
LEVELS = (
    {"errors", "__init__"},
    {"policy", "model"},
    {"durations", "faults", "masking", "shipped", "text", "wallclock"},
    {"transport", "serving"},
    {"engine", "events"},
    {"judging"},
    {"samples", "campaign", "strategies"},
    {"report"},
    {"check"},
    {"scenario"},
    {"recording", "server"},
    {"cli", "pytest_plugin"},
    {"__main__"},
)

# A module, or a package and all in it.
OWNERS = {
    "a2wsgi": {"transport.inprocess"},
    "click": {"cli"},
    "httptools": {"transport.response"},
    "hypothesis": {"check.rules.random_histories", "check.shrink", "pytest_plugin.examples", "strategies"},
    "jinja2": {"report.html"},
    "markupsafe": {"report.html"},
    "jmespath": {"judging.consumer_store"},
    "pytest": {"pytest_plugin"},
    "rich": {"cli.progress"},
    "starlette": {
        "recording.proxy",
        "samples",
        *(f"server.{name}" for name in ("http", "app", "control_api")),
    },
    "trustme": {"server.tls"},
    "uvicorn": {"serving"},
    "watchfiles": {"cli.watching"},
    "uvloop": {"cli.playing"},
    "yaml": {"scenario.language"},
    "msgspec": {"anyone"},
}

FORBIDDEN = {"time.time", "time.sleep", "time.monotonic", "time.perf_counter", "datetime.now", "uuid.uuid4"} | {
    f"random.{name}" for name in ("random", "randint", "choice", "choices", "randrange", "shuffle", "seed")
}
CLOCK_OWNERS = {"transport", "faults", "wallclock", "serving", "cli", "server", "samples"}


PATHS = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
}
"""The file of each module."""


@functools.cache
def tree(module: str) -> ast.Module:
    return ast.parse(PATHS[module].read_text())


def room(module: str) -> str:
    return module.partition(".")[0]


def level(module: str) -> int:
    [found] = [index for index, rooms in enumerate(LEVELS) if room(module) in rooms]
    return found


def imports(module: ast.Module) -> Iterator[str]:
    """Full names of what a module imports, wherever in it."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are written out"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_room_has_its_level() -> None:
    assert {room(module) for module in PATHS} == set().union(*LEVELS)


# The package itself offers names from above, which it imports only when somebody asks for them.
@pytest.mark.parametrize("module", [module for module in PATHS if module != "__init__"])
def test_imports_go_downwards(module: str) -> None:
    for name in imports(tree(module)):
        if name.startswith("mockcampaign.") and name != "mockcampaign.__version__":
            target = name.removeprefix("mockcampaign.")
            assert room(target) == room(module) or level(target) < level(module), f"{module} imports {target}"


@pytest.mark.parametrize("module", PATHS)
def test_every_library_has_one_owner(module: str) -> None:
    for name in imports(tree(module)):
        library = name.partition(".")[0]
        if library in sys.stdlib_module_names or library == "mockcampaign":
            continue
        assert library in OWNERS, f"{module} uses {library}, which nobody owns"
        homes = {".".join(module.split(".")[:depth]) for depth in range(1, 5)} | {"anyone"}
        assert OWNERS[library] & homes, f"{module} uses {library}"


@pytest.mark.parametrize("module", [module for module in PATHS if room(module) not in CLOCK_OWNERS])
def test_only_owners_read_clocks_sleep_or_draw_without_a_seed(module: str) -> None:
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert f"{node.value.id}.{node.attr}" not in FORBIDDEN, f"{module}:{node.lineno}"
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "asyncio.sleep":
            assert ast.unparse(node.args[0]) == "0", f"{module}:{node.lineno}"


PAUSING = {
    *("check.bench.bench", "check.bench.rule_store"),  # for a consumer that restarts, and an account that settles
    *(f"check.rules.{name}" for name in ("durability", "http", "overlap")),  # whose point it is
}


def test_only_rules_whose_point_it_is_let_time_pass() -> None:
    pausing = {
        module
        for module in PATHS
        if room(module) == "check" and "mockcampaign.wallclock.pause" in imports(tree(module))
    }
    assert pausing == PAUSING


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = (
        "import sys, mockcampaign; "
        "print(sorted({m.partition('.')[0] for m in sys.modules} - set(sys.stdlib_module_names) - {'mockcampaign'}))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    names = set(ast.literal_eval(done.stdout))
    assert not names & {*OWNERS, "pydantic"}
