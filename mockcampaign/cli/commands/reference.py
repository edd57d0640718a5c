"""Commands that look things up: `mockcampaign rules` and `mockcampaign schema`."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

import click

from mockcampaign.check.rule_page import LANGUAGES
from mockcampaign.cli.parameters import Command, WordType
from mockcampaign.cli.terminal import say, standard_output, use_color
from mockcampaign.errors import InvalidInputError
from mockcampaign.text import unknown


@click.command(cls=Command)
@click.argument("rule_id", metavar="[ID]", required=False)
@click.option(
    "--code", "language", type=WordType(list(LANGUAGES)), help="Show code that violates it, and code that does not."
)
@click.option("--no-color", is_flag=True, help="Print plain text, even on a terminal.")
def rules(rule_id: str | None, language: str | None, no_color: bool) -> int:
    """List the rules of `check`, or explain one."""
    from mockcampaign.check.behaviours import BEHAVIOURS
    from mockcampaign.check.rule_page import rule_page
    from mockcampaign.check.rules import CATALOGUE, FAMILIES
    from mockcampaign.report import sentences

    color = use_color(no_color)
    if rule_id is None:
        if language is not None:
            raise InvalidInputError("--code has no effect alone, allowed: with the id of a rule")
        width = max(len(rule.id) for rule in CATALOGUE)
        for family, about in FAMILIES.items():
            say(f"{click.style(family, bold=True)}: {about}", color=color)
            for rule in CATALOGUE:
                if rule.family == family:
                    needs = f" (needs {', '.join(rule.needs)})" if rule.needs else ""
                    say(f"  {rule.level:<6} {rule.id:<{width}} {rule.title}{needs}")
        return 0
    known = {rule.id: rule for rule in CATALOGUE}
    if rule_id not in known:
        raise InvalidInputError(unknown("rule", rule_id, known, listed_by="mockcampaign rules"))
    rule = known[rule_id]
    say(f"{click.style(rule.id, bold=True)}  {rule.title} ({rule.level}, {rule.family})", color=color)
    page = rule_page(rule.id)
    assumed = [f"{BEHAVIOURS[name][1]} ({BEHAVIOURS[name][0]})" for name in rule.assumes]
    for label, text in (
        ("in practice", page.story),
        ("required", rule.requirement),
        ("expected", rule.expected),
        ("needs", ", ".join(sentences.need(need) for need in rule.needs) or "nothing"),
        ("assumes", "; ".join(assumed)),
        ("fix", rule.fix),
        ("example", rule.example),
        ("not covered", rule.not_covered or "nothing known"),
    ):
        wrapped = textwrap.wrap(text, 96)
        for index, line in enumerate(wrapped):
            say(f"  {label if index == 0 else '':<13}{line}")
    if language is None:
        say(f"  {'code':<13}mockcampaign rules {rule.id} --code {'|'.join(LANGUAGES)}")
        return 0
    for label, code in (("broken", page.broken[language]), ("fixed", page.fixed[language])):
        say(f"\n  {label}\n\n{textwrap.indent(code.rstrip(), '    ')}")
    return 0


def _report() -> bytes:
    from mockcampaign.report.json_report import json_schema

    return json_schema()


def _events() -> bytes:
    import msgspec

    from mockcampaign.events import event_schema

    return msgspec.json.format(msgspec.json.encode(event_schema()), indent=2) + b"\n"


def _scenario() -> bytes:
    from mockcampaign.scenario.language.schema import json_schema

    return json_schema()


def _reference() -> bytes:
    from mockcampaign.scenario.language.reference import reference

    return reference().encode()


SCHEMAS: dict[str, Callable[[], bytes]] = {
    "report": _report,
    "events": _events,
    "scenario": _scenario,
    "reference": _reference,
}
"""Documents by name, each generated from the definitions that the program itself uses."""


@click.command(cls=Command)
@click.argument("name", type=WordType(list(SCHEMAS)))
def schema(name: str) -> int:
    """Print a JSON Schema, or the reference of the scenario language in Markdown."""
    with standard_output() as out:
        out.write(SCHEMAS[name]())
    return 0
