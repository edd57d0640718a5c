"""Schema and reference of the scenario language are current and correct, and every example runs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args, get_type_hints

import jsonschema
import pytest
import yaml

from broken import BROKEN, GOOD
from commands import mockcampaign
from mockcampaign.errors import InvalidInputError
from mockcampaign.model import BasicAuthentication
from mockcampaign.samples.consumer import consumer_app
from mockcampaign.scenario.judge import scenario_shows_nothing
from mockcampaign.scenario.language import nodes
from mockcampaign.scenario.language.documented import key_docs, summary
from mockcampaign.scenario.language.expect import WebhookClaim, WebhookExpectation
from mockcampaign.scenario.language.reference import _reachable, reference
from mockcampaign.scenario.language.scenario_file import Scenario
from mockcampaign.scenario.language.schema import json_schema
from mockcampaign.scenario.language.step_examples import (
    MATRIX_EXAMPLE,
    SHAPE_EXAMPLE,
    STEP_EXAMPLES,
    USE_EXAMPLE,
    USED_EXAMPLE,
    whole,
)
from mockcampaign.scenario.language.steps import STEP_KEYS, STEPS, Step
from mockcampaign.scenario.load import find_scenarios, load_all
from mockcampaign.shipped import scenarios_folder
from mockcampaign.transport.inprocess import AsgiTransport
from places import ROOT
from plays import failed, played

SCENARIOS = ROOT / "scenarios"
SCHEMA = json.loads(json_schema())
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)

BEYOND_THE_SCHEMA = {
    # YAML that is none, or more than plain values
    "empty", "broken yaml", "tab", "tag", "alias", "deep", "control", "two docs", "bom of another encoding",
    "expect null", "use twice a webhook", "dup", "emit two types", "date as name",
    # What stands somewhere else
    "webhook", "twice", "delete", "expect who", "no probe", "count probe", "like", "no emit", "consumer name", "limit",
    "create twice", "create consumer", "update unknown", "deactivate too early", "delete unknown", "use after delete",
    "verify unknown", "verify deleted", "wait for unknown", "outage webhook", "fault webhook", "emit like a folder",
    "emit like no json", "probe without consumer probe", "too much time", "use nowhere", "use itself",
    "use twice the consumer", "matrix unknown", "matrix unused", "matrix too large", "matrix twice", "matrix absent",
    "matrix wrong value", "matrix out of range", "matrix name", "wait for consumer", "var",
    # What two keys or a whole text must satisfy together
    "probe both", "probe without url", "probe placeholder", "probe placeholder without role",
    "probe url and sql", "probe without query", "probe query and events", "probe sql", "probe query",
    "probe query placeholder", "emit none", "bounds", "bounds0", "policy", "fault both", "update nothing",
    "expect all gap bounds", "expect latest nothing",
    "expect fields of a number", "expect fields nothing", "nothing", "jmespath", "url creds", "url port", "var2",
    "auth colon", "auth header name", "auth header value", "auth header ours", "absurd", "outage for nothing",
    "advance by nothing", "wait zero", "expect within", "policy zero", "mailing rate above 1",
    "mailing rate no number", "mailing rate", "no steps", "emit exact events no json",
    "emit exact events and count", "matrix of credentials", "emit new mail ids alone", "matrix empty",
    "matrix no values", "shape nowhere", "shape no events", "shape without events", "shape field", "shape unfit",
    "shape twice", "shape bodies", "shape and mailing",
}  # fmt: skip
"""Mistakes that a schema cannot find, or only with a message that is harder to read than the loader's."""


def plain(node: yaml.Node) -> Any:
    """Return the value as an editor's YAML 1.2 reads it."""
    match node:
        case yaml.MappingNode():
            return {str(key.value): plain(value) for key, value in node.value}
        case yaml.SequenceNode():
            return [plain(item) for item in node.value]
    kind = node.tag.rpartition(":")[2]
    if kind == "null":
        return None
    number = {"int": int, "float": lambda text: float(text.removeprefix("."))}
    return {**number, "bool": lambda text: text == "true"}.get(kind, str)(node.value)


def mistakes(folder: Path, text: str) -> list[str]:
    path = folder / "t.scenario.yaml"
    path.write_text(text)
    return [error.message for error in VALIDATOR.iter_errors(plain(nodes.compose(path, "a scenario")))]


def test_shipped_schema_and_reference_are_current() -> None:
    assert (SCENARIOS / "scenario.schema.json").read_bytes() == json_schema(), "mockcampaign schema scenario > …"
    assert (SCENARIOS / "README.md").read_text() == reference(), "mockcampaign schema reference > scenarios/README.md"


def test_the_command_prints_both(tmp_path: Path) -> None:
    for name, file in (("scenario", "scenario.schema.json"), ("reference", "README.md")):
        done = mockcampaign("schema", name, folder=tmp_path)
        assert (done.returncode, done.stdout, done.stderr) == (0, (SCENARIOS / file).read_text(), "")


def test_the_schema_is_valid() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", find_scenarios((scenarios_folder(),)), ids=lambda path: path.name)
def test_shipped_scenarios_fit(tmp_path: Path, path: Path) -> None:
    assert mistakes(tmp_path, path.read_text()) == []


@pytest.mark.parametrize(
    "text", [GOOD, MATRIX_EXAMPLE, SHAPE_EXAMPLE, USE_EXAMPLE, *(whole(kind) for kind in STEP_EXAMPLES)]
)
def test_examples_fit(tmp_path: Path, text: str) -> None:
    assert mistakes(tmp_path, text) == []


def test_a_matrix_value_fits_everywhere(tmp_path: Path) -> None:
    text = """\
name: x
matrix: {n: [1], kind: [lost-ack], time: [1h]}
consumer: {url: "http://${matrix.kind}/"}
webhooks: {opens: {type: "${matrix.kind}", client: "${matrix.n}"}}
steps:
  - outage: {for: "${matrix.n}h", kind: "${matrix.kind}"}
  - fault: {kind: "${matrix.kind}", times: "${matrix.n}"}
  - fault: {kind: lost-ack, times: "${matrix.n}", for: "${matrix.time}", dropped: "${matrix.kind}"}
  - run: "${matrix.kind}"
  - expect: {opens: {delivered: {at_least: "${matrix.n}"}, in_order: "${matrix.n}", outcomes: ["${matrix.n}"]}}
policy: {refill: "${matrix.kind}"}
"""
    assert mistakes(tmp_path, text) == []


def test_broken_scenarios_do_not_fit(tmp_path: Path) -> None:
    fitting = set()
    for what, text in BROKEN.items():
        try:
            if not mistakes(tmp_path, text):
                fitting.add(what)
        except InvalidInputError:
            fitting.add(what)  # no YAML that a schema would get to see
    assert fitting == BEYOND_THE_SCHEMA


def test_everything_is_explained() -> None:
    for struct in [Scenario, *_reachable(Scenario)]:
        assert summary(struct), struct
        assert set(key_docs(struct)) >= set(struct.__struct_fields__), struct
    for step in STEP_KEYS:
        assert summary(step), step


def test_each_claim_of_the_union_has_one_key() -> None:
    hints = get_type_hints(WebhookExpectation, include_extras=True)
    assert [get_args(hints[name])[0] for name in WebhookExpectation.__struct_fields__] == list(get_args(WebhookClaim))


def test_each_step_of_the_union_has_one_key() -> None:
    assert set(STEP_KEYS) == set(get_args(Step))
    assert list(STEP_KEYS.values()) == list(STEPS)


@pytest.mark.parametrize("kind", [kind for kind in STEPS if kind != "set_up"])
def test_the_example_of_each_step_runs(tmp_path: Path, kind: str) -> None:
    assert STEP_EXAMPLES[kind] in reference()
    assert re.search(rf"^  - {kind}:", STEP_EXAMPLES[kind], re.MULTILINE)
    (tmp_path / "fixtures").symlink_to(SCENARIOS.parent / "fixtures")
    (tmp_path / "scenarios").mkdir()
    path = tmp_path / "scenarios/t.scenario.yaml"
    path.write_text(whole(kind))
    [plan] = load_all(path)
    player, findings = played(plan, AsgiTransport(consumer_app()))
    assert failed(findings) == []
    assert scenario_shows_nothing(plan, player.campaign.journal.entries, player.campaign.is_idle) is None


def test_the_example_of_the_matrix_runs(tmp_path: Path) -> None:
    path = tmp_path / "t.scenario.yaml"
    path.write_text(MATRIX_EXAMPLE)
    plans = load_all(path)
    assert len(plans) == 6
    for plan in plans:
        assert failed(played(plan, AsgiTransport(consumer_app()))[1]) == []


def test_the_example_of_a_shape_runs(tmp_path: Path) -> None:
    path = tmp_path / "t.scenario.yaml"
    path.write_text(SHAPE_EXAMPLE)
    [plan] = load_all(path)
    [shape] = plan.shapes.values()
    assert failed(played(plan, AsgiTransport(consumer_app(shape=shape)))[1]) == []


def test_the_example_of_use_runs(tmp_path: Path) -> None:
    path = tmp_path / "t.scenario.yaml"
    path.write_text(USE_EXAMPLE)
    (tmp_path / "consumer.yaml").write_text(USED_EXAMPLE)
    [plan] = load_all(path)
    app = consumer_app(basic_authentication=BasicAuthentication("acme", "secret"))
    assert failed(played(plan, AsgiTransport(app))[1]) == []
