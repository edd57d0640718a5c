from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from broken import BROKEN, GOOD, SHARED, changed
from golden import check_golden
from mockcampaign.errors import InvalidInputError
from mockcampaign.model import EventType
from mockcampaign.policy import HOUR
from mockcampaign.scenario.language.expect import DeliveredCount
from mockcampaign.scenario.language.plain_values import Bounds
from mockcampaign.scenario.language.steps import ActivateStep, RunStep
from mockcampaign.scenario.load import find_scenarios, load, load_all
from mockcampaign.scenario.plan import EmitGenerated, Expect


def written(folder: Path, text: str) -> Path:
    path = folder / "t.scenario.yaml"
    path.write_text(text)
    return path


def test_mistakes_are_reported_with_their_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shared.yaml").write_text(SHARED)
    said = []
    for what, text in BROKEN.items():
        with pytest.raises(InvalidInputError) as refused:
            load_all(written(Path(), text))
        message = str(refused.value)
        assert re.match(r"(t\.scenario|shared)\.yaml:[0-9]+:[0-9]+: [^\n]+\Z", message), f"{what}: {message}"
        said.append(f"{what}\n    {message}\n")
    assert len(said) > 100
    check_golden("broken-scenarios.txt", "".join(said))


@pytest.mark.parametrize(
    "auth",
    [
        "geheim",
        "[geheim]",
        "{geheim}",
        "{basic: geheim}",
        "{basic: [geheim]}",
        "{basic: {username: u, password: {geheim: 1}}}",
        "{basic: {username: u, password: [geheim]}}",
        "{basic: {username: u, pasword: geheim}}",
        "{basic: {username: u, password: !geheim}}",
        "{basic: {username: u, password: &geheim}}",
        "{basic: {username: u, password: *geheim}}",
        "{basic: {username: u, password: @geheim}}",
        "{basic: {username: u, password: %geheim}}",
        "{basic: {username: u, password: geheim, password: geheim}}",
        "{basic: {username: 'geheim:geheim', password: x}}",
        "{key: Bearer geheim}",
        '{key: {key: Authorization, passphrase: "geheim\\n"}}',
        "{key: {key: Authorization, passphrase: Bearer geheim, x: y}}",
    ],
)
def test_no_message_repeats_a_secret(tmp_path: Path, auth: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        load(written(tmp_path, changed("{type: open}", f"{{type: open, auth: {auth}}}")))
    assert str(refused.value).startswith(f"{tmp_path}/t.scenario.yaml:6:")
    assert "geheim" not in str(refused.value)


@pytest.mark.parametrize("url", ["http://u:geheim@x:99999/", "http://u:geheim@x y/", "ftp://u:geheim@x/"])
def test_no_message_repeats_the_credentials_of_a_url(tmp_path: Path, url: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        load(written(tmp_path, changed("http://127.0.0.1:8000/hook", f'"{url}"')))
    assert "geheim" not in str(refused.value)


def test_invalid_utf_8_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "t.scenario.yaml"
    path.write_bytes(b"name: \xff")
    with pytest.raises(InvalidInputError, match="byte 6 is not UTF-8"):
        load(path)


def test_a_large_file_is_rejected_before_it_is_parsed(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="1048577 bytes, allowed: up to 1048576"):
        load(written(tmp_path, "#" * 1_048_577))


def test_a_good_file_becomes_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONSUMER_PORT", "9000")
    text = changed("url: http://127.0.0.1:8000/hook", "url: http://127.0.0.1:${CONSUMER_PORT:-8000}/${PATH_OF_HOOK:-h}")
    text = changed("count: 3}", "count: 3, over: 1h}", text)
    plan = load(written(tmp_path, changed("delivered: 3", "delivered: {at_least: 3}", text)))
    assert plan.scenario.consumer.url == "http://127.0.0.1:9000/h"
    assert [type(step.action) for step in plan.steps] == [ActivateStep, EmitGenerated, RunStep, Expect]
    emit = plan.steps[1].action
    assert isinstance(emit, EmitGenerated)
    assert (emit.type, emit.count, emit.over) == (EventType.OPEN, 3, HOUR)
    [expectation] = plan.expectations
    assert expectation.claim == DeliveredCount(wanted=Bounds(at_least=3))
    assert expectation.place.endswith("t.scenario.yaml:12:26")


def test_variables_are_replaced_only_in_consumer_and_webhooks(tmp_path: Path) -> None:
    plan = load(written(tmp_path, changed("name: x", "name: ${HOME} stays")))
    assert plan.scenario.name == "${HOME} stays"


def test_an_empty_variable_takes_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMPTY", "")
    plan = load(written(tmp_path, changed("8000/hook", "${EMPTY:-8000}/hook")))
    assert plan.scenario.consumer.url == "http://127.0.0.1:8000/hook"


def test_scenarios_are_found_in_folders(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "notes.yaml").write_text("not: one")
    for name in ("b", "a", "deep/c"):
        (tmp_path / f"{name}.scenario.yaml").write_text(GOOD)
    found = [str(path.relative_to(tmp_path)) for path in find_scenarios((tmp_path, tmp_path / "a.scenario.yaml"))]
    assert found == ["a.scenario.yaml", "b.scenario.yaml", "deep/c.scenario.yaml"]


def test_a_path_without_scenarios_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"no \*\.scenario\.yaml file in this folder"):
        find_scenarios((tmp_path,))
    with pytest.raises(InvalidInputError, match="does not exist, allowed: a scenario file, or a folder"):
        find_scenarios((tmp_path / "nowhere",))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no named pipes")
@pytest.mark.parametrize("step", ["emit: {like: pipe}", "replay: {journal: pipe}"])
def test_a_pipe_is_not_waited_for(tmp_path: Path, step: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    path = tmp_path / "t.scenario.yaml"
    path.write_text(
        "name: a\nconsumer: {url: http://127.0.0.1/}\nwebhooks: {opens: {type: open}}\n"
        f"steps:\n  - activate: opens\n  - {step}\n"
    )
    with pytest.raises(InvalidInputError, match=r":6:\d+: .*pipe: a folder, a pipe or a device, allowed: a regular"):
        load_all(path)


def test_a_scenario_is_no_pipe_either(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="a folder, a pipe or a device, allowed: a regular file"):
        load_all(Path(os.devnull))


@pytest.mark.parametrize("seed", ["1" * 5_000, "1__0"])
def test_a_number_that_is_none_is_one_line(tmp_path: Path, seed: str) -> None:
    with pytest.raises(InvalidInputError, match=rf":13:7: expected a whole number, found a whole number '{seed[:60]}"):
        load_all(written(tmp_path, f"{GOOD}seed: {seed}\n"))
