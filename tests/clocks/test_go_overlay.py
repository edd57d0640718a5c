"""The overlay by which a Go program follows a clock file."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mockcampaign.clocks.go_overlay import write_overlay
from mockcampaign.errors import InvalidInputError

TIME = "package time\n\nfunc Now() Time {\n\tsec, nsec, mono := now()\n}\n"


def goroot(folder: Path, source: str) -> Path:
    (folder / "src" / "time").mkdir(parents=True)
    (folder / "src" / "time" / "time.go").write_text(source)
    return folder


def test_the_copy_asks_the_clock_file_first(tmp_path: Path) -> None:
    go = goroot(tmp_path / "go", TIME)
    overlay = write_overlay(tmp_path, go)
    replaced = json.loads(overlay.read_text())["Replace"]
    assert set(replaced) == {str(go / "src" / "time" / name) for name in ("time.go", "led.go")}
    copy = Path(replaced[str(go / "src" / "time" / "time.go")]).read_text()
    assert copy.index("ledNow()") < copy.index("now()\n}")
    assert 'Getenv("MOCKCAMPAIGN_CLOCK_FILE")' in Path(replaced[str(go / "src" / "time" / "led.go")]).read_text()


def test_an_unknown_version_of_go_is_one_line(tmp_path: Path) -> None:
    go = goroot(tmp_path / "go", "package time\n")
    problem = f"{go}/src/time/time.go: has no time.Now as Go 1.19 has it, allowed: another version of Go"
    with pytest.raises(InvalidInputError, match=f"^{re.escape(problem)}$"):
        write_overlay(tmp_path, go)
