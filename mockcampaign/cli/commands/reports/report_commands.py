"""Commands that read JSON reports: `mockcampaign compare`."""

from __future__ import annotations

from pathlib import Path

import click

from mockcampaign.cli.ci import shielded
from mockcampaign.cli.parameters import EXISTING_FILE, Command
from mockcampaign.cli.terminal import print_lines, use_color


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
