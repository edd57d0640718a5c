"""`matrix` makes several plans of one file; `use` shares parts between files."""

from __future__ import annotations

from pathlib import Path

import pytest

from broken import GOOD, changed
from mockcampaign.errors import InvalidInputError
from mockcampaign.model import BasicAuthentication, EventType
from mockcampaign.policy import HOUR, MINUTE
from mockcampaign.samples.consumer import consumer_app
from mockcampaign.scenario.language.steps import OutageStep
from mockcampaign.scenario.load import load, load_all
from mockcampaign.scenario.plan import EmitGenerated
from mockcampaign.transport.inprocess import AsgiTransport
from plays import failed, played

MATRIX = """\
name: NAME
matrix:
  kind: [refused, connect-timeout]
  count: [1, 250]
  hours: [1, 2]
consumer:
  url: http://x.test/hook
  probe: {url: "http://x.test/processed", events: "@"}
webhooks:
  opens: {type: open}
steps:
  - activate: opens
  - outage: {for: "${matrix.hours}h30m", kind: "${matrix.kind}"}
  - emit: {type: open, count: "${matrix.count}"}
  - run: until-idle
  - expect:
      opens: {delivered: "${matrix.count}"}
      consumer: {processed: exactly-once}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "t.scenario.yaml"
    path.write_text(text)
    return path


def test_each_combination_is_a_plan_in_order(tmp_path: Path) -> None:
    plans = load_all(written(tmp_path, MATRIX))
    assert [plan.name for plan in plans] == [
        f"NAME [kind={kind}, count={count}, hours={hours}]"
        for kind in ("refused", "connect-timeout")
        for count in (1, 250)
        for hours in (1, 2)
    ]
    outage, emit = plans[-1].steps[1].action, plans[-1].steps[2].action
    assert isinstance(outage, OutageStep)
    assert isinstance(emit, EmitGenerated)
    assert (outage.kind, outage.duration, emit.count) == ("connect-timeout", 2 * HOUR + 30 * MINUTE, 250)


def test_every_combination_runs(tmp_path: Path) -> None:
    app = consumer_app()
    for plan in load_all(written(tmp_path, MATRIX)):
        player, findings = played(plan, AsgiTransport(app))
        assert failed(findings) == []
        assert player.campaign.now > 0


def test_a_name_with_the_values_is_unchanged(tmp_path: Path) -> None:
    text = MATRIX.replace("NAME", "${matrix.count} events, ${matrix.hours} hours of ${matrix.kind}")
    assert load_all(written(tmp_path, text))[0].name == "1 events, 1 hours of refused"


def test_a_matrix_value_alone_keeps_its_kind(tmp_path: Path) -> None:
    text = 'matrix: {n: [3], word: ["7"], switch: [true]}\n' + GOOD
    text = changed("count: 3", 'count: "${matrix.n}"', text)
    text = changed("name: x", "name: ${matrix.word}", text) + 'policy: {refill: "${matrix.switch}"}\n'
    [plan] = load_all(written(tmp_path, text))
    emit = plan.steps[1].action
    assert isinstance(emit, EmitGenerated)
    assert (plan.name, emit.count, plan.scenario.policy.refill) == ("7", 3, True)


def test_variables_of_the_environment_and_of_the_matrix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST", "10.0.0.1")
    text = "matrix: {path: [a, b]}\n" + changed("127.0.0.1:8000/hook", "${HOST}/${matrix.path}")
    plans = load_all(written(tmp_path, text))
    assert [plan.scenario.consumer.url for plan in plans] == ["http://10.0.0.1/a", "http://10.0.0.1/b"]


def test_load_rejects_a_matrix_of_several_plans(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"t\.scenario\.yaml: its matrix makes 8 runs, allowed here: one"):
        load(written(tmp_path, MATRIX))


USED = """\
consumer: {url: "http://${HOST:-x.test}/hook"}
webhooks:
  clicks: {type: click, auth: {basic: {username: acme, password: secret}}}
policy: {timeout: 5s}
"""


def test_use_adds_the_keys_of_another_file(tmp_path: Path) -> None:
    (tmp_path / "shared.yaml").write_text(USED)
    text = GOOD[: GOOD.index("consumer:")] + "use: shared.yaml\n" + GOOD[GOOD.index("webhooks:") :]
    plan = load(written(tmp_path, text))
    assert plan.scenario.consumer.url == "http://x.test/hook"
    assert list(plan.scenario.webhooks) == ["clicks", "opens"]
    assert plan.scenario.webhooks["clicks"].type is EventType.CLICK
    assert plan.scenario.policy.timeout == 5_000
    assert [path.name for path in plan.files] == ["t.scenario.yaml", "shared.yaml"]


@pytest.mark.parametrize(
    ("used", "message"),
    [
        ("", "shared.yaml:1:1: the file is empty, allowed: a mapping of consumer, webhooks, policy"),
        ("- a\n", "shared.yaml:1:1: expected a mapping of consumer, webhooks, policy"),
        ("webhook: {}\n", "shared.yaml:1:1: unknown key 'webhook', did you mean 'webhooks'? (allowed: consumer, "),
        ("? [a]\n: b\n", "shared.yaml:1:3: unknown key '…' (allowed: consumer, webhooks, policy, clients)"),
        ("consumer: {url: ftp://x/}\n", "shared.yaml:1:17: URL 'ftp://x/' is not a web address"),
        ("consumer: {url: \"http://${matrix.x}/\"}\n", "shared.yaml:1:17: ${matrix.x}: the scenario has no `matrix`"),
        ("consumer: {url: http://x/}\nwebhooks: {opens: {type: click}}\n",
         "t.scenario.yaml:4:3: duplicate key 'opens', first at shared.yaml:2:12"),
        ("consumer: [\n", "shared.yaml:2:1: broken YAML: did not find expected node content"),
    ],
)  # fmt: skip
def test_mistakes_in_a_used_file_are_reported_with_their_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, used: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("shared.yaml").write_text(used)
    text = "name: x\nuse: shared.yaml\n" + GOOD[GOOD.index("webhooks:") :]
    with pytest.raises(InvalidInputError) as refused:
        load(written(Path(), text))
    assert str(refused.value).startswith(message)


def test_credentials_can_be_shared(tmp_path: Path) -> None:
    (tmp_path / "shared.yaml").write_text(USED.replace("clicks: {type: click", "opens: {type: open"))
    text = "name: x\nuse: shared.yaml\n" + GOOD[GOOD.index("steps:") :]
    app = consumer_app(basic_authentication=BasicAuthentication("acme", "secret"))
    _, findings = played(load(written(tmp_path, text)), AsgiTransport(app))
    assert failed(findings) == []
