"""The HTML page about a load: one file that loads nothing, with plots of backlog, rate and percentiles."""

from __future__ import annotations

import base64
import hashlib
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from mockcampaign.load_test.load_result import LoadResult, StepResult
from mockcampaign.load_test.load_text import WORDS, facts, heading, knee_sentence
from mockcampaign.shipped import assets_folder
from mockcampaign.text import printable

_PAGE = Path(__file__).parent / "page"

RATES_SHOWN = 3
"""The plot of rates ends at so many times the rate of the load: a backlog arrives in a moment, far above it."""


class _Plots(msgspec.Struct, frozen=True):
    """One load, as the page's script reads it."""

    seconds: list[float]
    pending: list[int]
    offered: list[float]
    """Events per second that occurred."""
    accepted: list[float]
    """Events per second that were accepted."""
    rate_max: float
    """Where the plot of rates ends."""
    outages: list[tuple[float, float]]
    curves: list[list[tuple[float, float]]]
    """For responses and for deliveries: percentiles, and milliseconds."""


def load_page(result: LoadResult) -> bytes:
    """Return the page."""
    library = assets_folder() / "uplot"
    plots = [_plots(step) for step in result.steps]
    style = (library / "uPlot.min.css").read_text(encoding="utf-8") + (_PAGE / "load.css").read_text(encoding="utf-8")
    # The page contains a copy of the library, so it contains its licence too.
    scripts = [
        f"/*\n{(library / 'LICENSE').read_text(encoding='utf-8')}*/\n"
        + (library / "uPlot.iife.min.js").read_text(encoding="utf-8"),
        (_PAGE / "load.js").read_text(encoding="utf-8"),
    ]
    environment = Environment(
        loader=FileSystemLoader(_PAGE), autoescape=True, finalize=_plain, trim_blocks=True, lstrip_blocks=True
    )
    page = environment.get_template("load.html.jinja").render(
        result=result,
        words=WORDS[result.verdict],
        knee=knee_sentence(result) if len(result.steps) > 1 else None,
        steps=[
            {"heading": heading(step), "facts": list(facts(step)), "result": step, "cut": _cut(one)}
            for step, one in zip(result.steps, plots, strict=True)
        ],
        style=Markup(style),
        scripts=[Markup(script) for script in scripts],
        policy=f"default-src 'none'; style-src {_hash(style)}; script-src {' '.join(map(_hash, scripts))}; "
        "img-src data:; base-uri 'none'; form-action 'none'",
        data=base64.b64encode(msgspec.json.encode(plots)).decode(),
    )
    return page.encode()


def _cut(plots: _Plots) -> str | None:
    """Return what the plot of rates does not show; None if it shows everything."""
    highest = max(*plots.offered, *plots.accepted)
    if highest <= plots.rate_max:
        return None
    return (
        f"The plot ends at {plots.rate_max:,.0f}, which is {RATES_SHOWN} times the rate of the load; "
        f"the highest value is {highest:,.0f}"
    )


def _plots(step: StepResult) -> _Plots:
    samples = step.samples
    pairs = list(pairwise(samples))
    spans = [max(1, later.at - earlier.at) / 1_000 for earlier, later in pairs]
    return _Plots(
        seconds=[sample.at / 1_000 for sample in samples],
        pending=[sample.pending for sample in samples],
        offered=[0, *((b.created - a.created) / span for (a, b), span in zip(pairs, spans, strict=True))],
        accepted=[0, *((b.accepted - a.accepted) / span for (a, b), span in zip(pairs, spans, strict=True))],
        rate_max=RATES_SHOWN * step.events_per_second,
        outages=[(one.outage.start / 1_000, one.outage.end / 1_000) for one in step.recoveries],
        curves=[
            [(percentile, value / 1_000) for percentile, value in found.curve]
            for found in (step.responses, step.deliveries)
        ],
    )


def _plain(value: Any) -> Any:
    """Spell out characters that cannot be seen."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
