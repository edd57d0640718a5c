"""Commands that read JSON reports: `mockcampaign compare` and `mockcampaign baseline`."""

from __future__ import annotations

from pathlib import Path

import click

from mockcampaign.cli.ci import shielded
from mockcampaign.cli.parameters import EXISTING_FILE, NEW_FILE, Command
from mockcampaign.cli.terminal import print_lines, standard_output, use_color, warn
from mockcampaign.cli.usage import SubCommands
from mockcampaign.errors import InvalidInputError
from mockcampaign.text import counted, few
from mockcampaign.whole_files import why_not, write_whole


@click.command(cls=Command)
@click.argument("earlier", type=EXISTING_FILE)
@click.argument("later", type=EXISTING_FILE)
@click.option("--no-color", is_flag=True, help="Print plain text, even on a terminal.")
def compare(earlier: Path, later: Path, no_color: bool) -> int:
    """Compare two JSON reports: what is fixed, regressed, still failing and new.

    The exit status is 1 if something regressed or is new, and 3 if only the later report is inconclusive.
    """
    from mockcampaign.judging.earlier.comparison import compare_results, comparison_status
    from mockcampaign.report.comparison_text import comparison_lines
    from mockcampaign.report.json_report import read_report

    changes = compare_results(read_report(earlier), read_report(later))
    with shielded():
        print_lines(comparison_lines(changes), use_color(no_color))
    return comparison_status(changes)


@click.group(cls=SubCommands)
def baseline() -> None:
    """Write the violations that `--baseline` accepts."""


@baseline.command(cls=Command)
@click.argument("report", type=EXISTING_FILE)
@click.option("--output", "-o", type=NEW_FILE, help="Write the baseline to this file.  [default: standard output]")
def write(report: Path, output: Path | None) -> int:
    """Write a baseline that accepts the violations in a JSON report, one block for each."""
    from mockcampaign.judging.earlier.baseline import to_baseline, violations_of
    from mockcampaign.report.json_report import read_report

    found = violations_of(read_report(report))
    accepted = [one for one in found if one.identity is not None]
    content = to_baseline(accepted)
    if output is None:
        with standard_output() as out:
            out.write(content)
    else:
        try:
            write_whole(output, content)
        except OSError as error:
            raise InvalidInputError(f"--output {output}: cannot be written: {why_not(error)}") from None
    others = [one.describe() for one in found if one.identity is None]
    if others:
        warn(f"{counted(len(others), 'failure')} without an identity cannot be accepted: {few(others)}")
    return 0
