"""What each output costs for ten thousand attempts that do not fold: `python tests/benchmarks/reports.py`.

The yardstick, run beside them, is encoding the result as JSON once.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

from attempts import many_attempts
from mockcampaign.judging.verdict import run_result
from mockcampaign.report.html import to_html
from mockcampaign.report.json_report import to_json
from mockcampaign.report.junit import to_junit
from mockcampaign.report.markdown import to_markdown
from mockcampaign.report.scenario_text import plain_report
from results import scenario

ATTEMPTS = 10_000


def seconds(work: Callable[[], object]) -> float:
    """The best of three."""
    best = float("inf")
    for _ in range(3):
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return best


def main() -> None:
    result = run_result([scenario(journal=many_attempts(ATTEMPTS), findings=())])
    yardstick = seconds(lambda: msgspec.json.encode(result))
    print(f"{ATTEMPTS:,} attempts; the result encoded once: {yardstick * 1_000:.1f} ms")
    outputs: dict[str, Callable[[], bytes]] = {
        "HTML": lambda: to_html(result),
        "JUnit": lambda: to_junit(result, "2025-01-01T00:00:00"),
        "JSON": lambda: to_json(result),
        "Markdown": lambda: to_markdown(result).encode(),
        "text": lambda: plain_report(result.scenarios[0]).encode(),
    }
    for name, output in outputs.items():
        took = seconds(output)
        print(f"{name:<9} {took:7.3f} s  {took / yardstick:6.1f} times  {len(output()) / 1e6:6.2f} MB")


if __name__ == "__main__":
    main()
