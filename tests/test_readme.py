"""What the README says is what happens."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mockcampaign.errors import InvalidInputError
from mockcampaign.model import BasicAuthentication
from mockcampaign.samples.consumer import consumer_app
from mockcampaign.scenario.load import load
from mockcampaign.serving import served

README = (Path(__file__).parent.parent / "README.md").read_text()


@pytest.mark.parametrize("bug", [None, "keys-on-mail-id"])
def test_the_scenario_of_the_readme_tells_right_from_broken(tmp_path: Path, bug: str | None) -> None:
    [text] = re.findall(r"```yaml\n(name: A two-hour.*?)```", README, re.DOTALL)
    (tmp_path / "outage.scenario.yaml").write_text(text)
    with served(consumer_app(bug, basic_authentication=BasicAuthentication("acme", "secret"))) as url:
        done = subprocess.run(
            [sys.executable, "-m", "mockcampaign", "run", "outage.scenario.yaml", "--seed", "1"],
            cwd=tmp_path,
            env={**os.environ, "CONSUMER_URL": url},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0 if bug is None else 1, "")


def test_the_mistake_of_the_readme_is_refused_like_this(tmp_path: Path) -> None:
    [text] = re.findall(r"```yaml\n(name: A two-hour.*?)```", README, re.DOTALL)
    path = tmp_path / "outage.scenario.yaml"
    path.write_text(text.replace("count: 250", "cuont: 250"))
    with pytest.raises(InvalidInputError) as refused:
        load(path)
    assert f"    {str(refused.value).removeprefix(f'{tmp_path}/')}\n" in README


def test_paths_that_the_readme_names_exist() -> None:
    named = re.findall(r"(?<![\w/])(?:mockcampaign|tests|scenarios|fixtures)/[\w/.-]*", README)
    assert len(named) > 3
    assert [path for path in named if not (Path(__file__).parent.parent / path).exists()] == []
