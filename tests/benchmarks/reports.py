"""What each output costs for ten thousand attempts that do not fold.

The yardstick, run beside them, is encoding the result as JSON once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
from harness import Row, in_turns, ratios, timed

from attempts import many_attempts
from mockcampaign.judging.verdict import run_result
from mockcampaign.report.html import to_html
from mockcampaign.report.json_report import to_json
from mockcampaign.report.junit import to_junit
from mockcampaign.report.markdown import to_markdown
from mockcampaign.report.scenario_text import plain_report
from results import scenario

ATTEMPTS = 10_000
TIMES_MAX = {"HTML": 120.0, "JUnit": 60.0, "JSON": 1.0, "Markdown": 1.0, "text": 60.0}
"""How many times as long as the encoding each may take."""


def measure() -> Iterator[Row]:
    result = run_result([scenario(journal=many_attempts(ATTEMPTS), findings=())])
    outputs: dict[str, Callable[[], bytes]] = {
        "HTML": lambda: to_html(result),
        "JUnit": lambda: to_junit(result, "2025-01-01T00:00:00"),
        "JSON": lambda: to_json(result),
        "Markdown": lambda: to_markdown(result).encode(),
        "text": lambda: plain_report(result.scenarios[0]).encode(),
    }
    for name, output in outputs.items():
        taken, encoding = in_turns(
            lambda output=output: timed(output),  # type: ignore[misc]
            lambda: timed(lambda: msgspec.json.encode(result)),
        )
        yield Row(
            what=f"{name} of {ATTEMPTS:,} attempts",
            measured=f"{min(taken):.3f} s, {len(output()) / 1e6:.2f} MB",
            yardstick=f"the result encoded once: {min(encoding) * 1_000:.1f} ms",
            ratios=ratios(taken, encoding),
            at_most=TIMES_MAX[name],
        )
