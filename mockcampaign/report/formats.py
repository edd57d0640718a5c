"""The file formats of a run's result: one table, from which the command line makes its options.

Each format is imported when it is written. The pytest plugin has the same options (a test compares them).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from mockcampaign.judging.verdict import RunResult


class Writing(NamedTuple):
    """How results are written."""

    now: int
    """Wall time, in milliseconds since 1970."""
    full_journal: bool = False
    """Whether every attempt is written out, where a format would leave them out."""


class ReportFormat(NamedTuple):
    """One file format of a result."""

    name: str
    option: str
    """Name of the option that takes the file, without dashes or prefix."""
    help: str
    encode: Callable[[RunResult, Writing], bytes]
    """Returns the file's content."""


def _json(result: RunResult, writing: Writing) -> bytes:
    from mockcampaign.report.json_report import to_json

    return to_json(result, full_journal=writing.full_journal)


def _junit(result: RunResult, writing: Writing) -> bytes:
    from mockcampaign.durations import format_moment
    from mockcampaign.report.junit import to_junit

    return to_junit(result, format_moment(writing.now).partition(".")[0])


def _html(result: RunResult, writing: Writing) -> bytes:
    from mockcampaign.report.html import to_html

    return to_html(result)


def _markdown(result: RunResult, writing: Writing) -> bytes:
    from mockcampaign.report.markdown import to_markdown

    return to_markdown(result).encode()


def _sarif(result: RunResult, writing: Writing) -> bytes:
    from mockcampaign.report.annotations.sarif import to_sarif

    return to_sarif(result)


FORMATS = (
    ReportFormat("JSON", "report-json", "Write the complete result to this file as JSON.", _json),
    ReportFormat("JUnit", "junit", "Write JUnit XML to this file.", _junit),
    ReportFormat("HTML", "html", "Write an HTML page with plots and every attempt to this file.", _html),
    ReportFormat("Markdown", "markdown", "Write a summary in Markdown to this file.", _markdown),
    ReportFormat("SARIF", "sarif", "Write violations as SARIF 2.1.0, for code scanning, to this file.", _sarif),
)
