"""The HTML report in a real browser: what its plots show, what it hides and opens, and what it must never do."""

from __future__ import annotations

import html
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from attempts import many_attempts
from browsers import browser, clean_page, violations
from builders import Consumer, activated, exporter, happen, run
from commands import mockcampaign
from mockcampaign.engine.declared_faults import When
from mockcampaign.engine.journal import Entry, Probed
from mockcampaign.faults import LostAck
from mockcampaign.judging.finding import Reproduce
from mockcampaign.judging.verdict import RunResult, run_result
from mockcampaign.model import BasicAuthentication, EventType, NoResponse, Responded
from mockcampaign.report.html import DATA_BYTES_MAX, OPEN_FINDINGS, OVERVIEW_MAX, ROWS_MAX, to_html
from mockcampaign.samples.consumer import consumer_app
from mockcampaign.serving import serve_in_thread
from places import ROOT, documentation
from results import MINUTE, every_outcome, finding, outage, scenario

MEGABYTE = 1_000_000


def one_webhook_used() -> list[Entry]:
    """A minute in which one of two webhooks delivers."""
    box = exporter()
    activated(box)
    activated(box, EventType.CLICK)
    happen(box, 3)
    run(box, Consumer(lambda number: Responded(200)))
    box.journal.append(Probed(at=box.clock.now + MINUTE, count=3, events=None))
    return box.journal.entries


def outage_amid_a_fault() -> list[Entry]:
    """Twenty minutes in which responses are lost, and in the first ten nothing reaches the consumer either."""
    box = exporter()
    activated(box)
    box.declare_fault(LostAck(), When(duration=20 * MINUTE))
    box.declare_outage("refused", box.clock.now + 10 * MINUTE)
    happen(box)
    run(box, Consumer(NoResponse("body", "connection dropped")), until=box.clock.now + 30 * MINUTE)
    return box.journal.entries


# Made here, since no other event loop can run while the browser's does.
RESULT = every_outcome()
AT_ONCE = outage({}).journal.entries[:12]
FIRST_ENTRIES = outage({}).journal.entries[:3]
ONE_WEBHOOK_USED = one_webhook_used()
OUTAGE_AMID_A_FAULT = outage_amid_a_fault()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as running:
        yield running


@pytest.fixture
def opened(chromium: Any, tmp_path: Path) -> Iterator[Any]:
    """Opens the report on a result; every page it opened must have behaved."""
    import contextlib

    with contextlib.ExitStack() as pages:

        def open_report(result: RunResult, **more: Any) -> Any:
            path = tmp_path / "report.html"
            path.write_bytes(to_html(result))
            page = pages.enter_context(clean_page(chromium, path.as_uri(), **more))
            page.goto(path.as_uri())
            page.wait_for_selector("html[data-ready]", state="attached")
            return page

        yield open_report


def marks(page: Any, webhook: int) -> list[tuple[str, int, int]]:
    """Lane, beginning and end in seconds of each mark of a webhook's plot, in the open scenario."""
    found: list[list[Any]] = page.evaluate(
        """(webhook) => {
            const {marks, lanes} = document.querySelector(`details[open] figure[data-webhook="${webhook}"]`).plot;
            return marks.map((mark) => [lanes[mark.lane][0], mark.from / 1000, mark.to / 1000]);
        }""",
        webhook,
    )
    return [(lane, start, end) for lane, start, end in found]


def pixel(page: Any, webhook: int, lane: int, at: int) -> list[int]:
    """The colour of the plot in a lane, `at` milliseconds after the beginning."""
    colour: list[int] = page.evaluate(
        """([webhook, lane, at]) => {
            const {chart, laneTop} = document.querySelector(`details[open] figure[data-webhook="${webhook}"]`).plot;
            const x = chart.valToPos(at, "x", true);
            const y = chart.bbox.top + laneTop(lane) * devicePixelRatio;
            return [...chart.ctx.getImageData(x, y, 1, 1).data].slice(0, 3);
        }""",
        [webhook, lane, at],
    )
    return colour


def on_plot(page: Any, webhook: int, lane: int, at: int) -> tuple[float, float]:
    """Where that is on the screen."""
    x, y = page.evaluate(
        """([webhook, lane, at]) => {
            const {chart, laneTop} = document.querySelector(`details[open] figure[data-webhook="${webhook}"]`).plot;
            chart.over.scrollIntoView({block: "center"});
            const box = chart.over.getBoundingClientRect();
            return [box.left + chart.valToPos(at, "x"), box.top + laneTop(lane)];
        }""",
        [webhook, lane, at],
    )
    return x, y


def reddish(colour: list[int]) -> bool:
    return colour[0] > max(colour[1:]) + 20


def greenish(colour: list[int]) -> bool:
    return colour[1] > max(colour[0], colour[2]) + 20


def test_the_verdict_stands_at_the_top_and_headings_lead_on(opened: Any) -> None:
    page = opened(RESULT)
    assert page.inner_text("h1") == "Not compliant"
    assert "3 scenarios: 1 compliant, 1 not compliant, 1 inconclusive" in page.inner_text("header")
    assert "2 of 9 rules and expectations failed" in page.inner_text("header")
    assert page.inner_text("header .trouble") == "Inconclusive: consumer http://consumer/opens: connection refused"
    assert page.title() == "Not compliant: 3 scenarios (mockcampaign)"
    headings = [" ".join(heading.split()) for heading in page.locator("h1, h2").all_inner_texts()]
    assert headings == [
        "Not compliant",
        "Scenarios",
        "Rules and expectations",
        "compliant: An outage, then all is well",
        "not compliant: A list is lost",
        "inconclusive: Nobody there",
    ]
    assert page.locator(".overview tbody th").all_inner_texts() == [
        "A list is lost",
        "Nobody there",
        "An outage, then all is well",
    ]
    titles = page.locator("#findings .title").all_inner_texts()
    assert "opens.delivered: 253 in An outage, then all is well" in titles
    assert len(set(titles)) == len(titles) == 9
    # One scenario is open from the beginning, and says in which webhook what happened.
    assert page.locator(".scenario > details[open]").count() == 1
    assert page.locator("details[open] .attempts thead th").all_inner_texts() == [
        *("When", "Webhook", "Attempt", "Events", "Outcome", "Took")
    ]


def test_a_plot_shows_every_attempt_where_it_was(opened: Any) -> None:
    page = opened(RESULT)
    assert marks(page, 1) == [
        ("accepted", 0, 0),
        ("silent", 0, 0),
        ("silent", 20, 590),
        ("silent", 600, 600),
        ("accepted", 610, 610),
        ("accepted", 610, 610),
    ]
    assert marks(page, 2) == [
        ("rejected", 0, 0),
        ("silent", 10, 590),
        ("rejected", 600, 600),
        ("accepted", 610, 610),
    ]
    assert greenish(pixel(page, 1, 0, 610_000))
    assert reddish(pixel(page, 2, 1, 600_000))
    # The ground tells the outage from the time after it.
    during, after = pixel(page, 1, 3, 300_000), pixel(page, 1, 3, 605_000)
    assert reddish(during)
    assert not reddish(after)


def test_an_outage_is_seen_amid_a_fault(opened: Any) -> None:
    page = opened(run_result([scenario(journal=OUTAGE_AMID_A_FAULT, findings=())]))
    both, fault = (pixel(page, 1, 1, minutes * MINUTE + 20_000) for minutes in (6, 16))
    assert reddish(both)
    assert not reddish(fault)
    assert fault[2] < min(fault[:2]) - 20  # yellow


def test_pointing_at_a_mark_tells_about_it_and_a_click_opens_its_request(opened: Any) -> None:
    page = opened(RESULT)
    x, y = on_plot(page, 2, 1, 600_000)
    page.mouse.move(x, y)
    tip = page.locator('details[open] figure[data-webhook="2"] .tip')
    assert tip.inner_text() == "+10m: attempt 61, batch of 7\n302"
    page.mouse.click(x, y)
    exchange = page.locator("details[open] tr.detail")
    assert "POST http://consumer/clicks" in exchange.inner_text()
    assert "HTTP 302\nlocation: /hook/" in exchange.inner_text()
    page.mouse.move(*on_plot(page, 1, 3, 300_000))
    tip = page.locator('details[open] figure[data-webhook="1"] .tip')
    assert re.fullmatch(r"\+(4m59|5m)\w*: 183 events pending\noutage for 10m: refused", tip.inner_text())


def test_zooming_narrows_the_plots_and_the_attempts(opened: Any) -> None:
    page = opened(RESULT)
    status = page.locator("details[open] .attempts output").first
    assert status.inner_text() == "10 of 10 lines"
    (left, y), (right, _) = on_plot(page, 1, 3, 595_000), on_plot(page, 1, 3, 612_000)
    page.mouse.move(left, y)
    page.mouse.down()
    page.mouse.move((left + right) / 2, y, steps=3)
    page.mouse.move(right, y, steps=3)
    page.mouse.up()
    assert status.inner_text() == "5 of 10 lines, in the zoomed range"
    ranges = page.evaluate(
        """[...document.querySelectorAll("details[open] figure")].map(({plot}) => {
            const {min, max} = plot.chart.scales.x;
            return [Math.round(min), Math.round(max)];
        })"""
    )
    assert ranges[0] == ranges[1]
    assert 590_000 < ranges[0][0] < 600_000
    page.click("details[open] .unzoom")
    assert status.inner_text() == "10 of 10 lines"


def test_the_table_of_findings_is_filtered_by_text_and_outcome(opened: Any) -> None:
    page = opened(RESULT)
    visible = page.locator("#findings > tbody > tr:visible")
    assert visible.count() == 9
    page.fill("#filter-text", "LOST exactly")
    assert visible.count() == 1
    assert page.inner_text("#filter-count") == "1 of 9"
    page.fill("#filter-text", "")
    page.uncheck("input[value=pass]")
    page.uncheck("input[value='not-exercised']")
    assert visible.count() == 5
    assert visible.first.locator("td").first.inner_text() == "failed"


def test_an_attempt_opens_to_its_request_and_answer(opened: Any) -> None:
    page = opened(RESULT)
    row = page.locator("details[open] .attempts tbody tr", has_text="503")
    button = row.locator("button.open")
    button.click()
    assert button.get_attribute("aria-expanded") == "true"
    words = page.locator("details[open] tr.detail").inner_text()
    assert "POST http://consumer/clicks\nContent-Type: application/json" in words
    assert '{"n":5},\n{"n":6}\n]' in words
    assert "after 12.3 ms (31,204 bytes sent, 164 received)" in words
    assert "after 12.3 ms (31,204 bytes sent, 164 received)" in words
    assert "HTTP 503\ncontent-type: text/plain\nretry-after: 5\n\nbusy, come again" in words
    button.click()
    assert page.locator("tr.detail").count() == 0


def test_evidence_leads_to_its_attempts(opened: Any) -> None:
    page = opened(RESULT)
    row = page.locator("#findings tr", has_text="Responds 200, and no other status")
    row.get_by_role("button", name="Show attempts").click()
    rows = page.locator("details[open] .attempts tbody tr")
    assert rows.count() == 1
    assert "302" in rows.inner_text()
    assert page.locator("details[open] .attempts output").first.inner_text() == "1 of 10 lines, that are evidence"


@pytest.mark.slow
def test_a_report_on_ten_thousand_attempts_stays_under_two_megabytes(opened: Any) -> None:
    page = opened(run_result([scenario(journal=many_attempts(10_000), findings=())]))
    assert len(page.content().encode()) < 2 * MEGABYTE
    assert page.locator(".attempts output").inner_text() == "10,000 of 10,000 lines"
    assert len(marks(page, 1)) == 10_000


@pytest.mark.slow
def test_what_has_no_room_is_counted_and_what_failed_stays() -> None:
    journal = many_attempts(ROWS_MAX + 500)
    journal[-1] = msgspec.structs.replace(journal[-1], outcome=Responded(500))  # type: ignore[type-var]
    page = to_html(run_result([scenario(journal=journal, findings=())])).decode()
    assert "500 more attempts did not fit" in page
    assert len(page) < 2 * MEGABYTE


def test_what_took_no_time_is_not_plotted(opened: Any) -> None:
    page = opened(run_result([scenario(journal=AT_ONCE, findings=())]))
    assert "Everything happened at one moment" in page.inner_text("figure")
    assert page.locator("canvas").count() == 0
    page.locator(".attempts button.open").first.click()
    assert page.locator("tr.detail").count() == 1


def test_a_reproducer_is_copied_as_it_is(opened: Any) -> None:
    text = 'name: "<b>a</b>"\nsteps:\n  - run: until-idle\n'
    wrong = finding(outcome="fail", reproduce=Reproduce(curl="curl -d '[\x1b]' http://c/", scenario=text))
    page = opened(run_result([scenario(journal=FIRST_ENTRIES, findings=(wrong,))]))
    assert [block.text_content() for block in page.locator("#findings pre.copy").all()][:2] == [
        "curl -d '[\\x1b]' http://c/",
        text,
    ]


def test_a_failed_test_is_run_again_by_pytest() -> None:
    name = "tests/test_shop.py::test_lost[it's]"
    wrong = finding("the test", "fail", place=None)
    test = scenario(name=name, file="tests/test_shop.py", journal=FIRST_ENTRIES, findings=(wrong,))
    page = to_html(run_result([test])).decode()
    command = f"pytest {shlex.quote(name)} --mockcampaign-seed {test.seed}"
    assert command in html.unescape(page)
    assert "mockcampaign run" not in page


@pytest.mark.slow
def test_a_screen_reader_can_make_sense_of_it(opened: Any) -> None:
    schemes = {390: ("light", "dark"), 1280: ("dark",), 1920: ("light",)}
    for widths in ((390,), (1280, 1920)):  # a page that starts narrow shows fewer lines
        page = opened(RESULT, viewport={"width": widths[0], "height": 900})
        page.locator("details[open] .attempts button.open").first.click()
        for width in widths:
            page.set_viewport_size({"width": width, "height": 900})
            for scheme in schemes[width]:
                page.emulate_media(color_scheme=scheme)
                assert violations(page) == [], (width, scheme)


def test_the_page_is_the_same_for_the_same_result() -> None:
    assert to_html(RESULT) == to_html(RESULT)


CRAMPED = """() => [...document.querySelectorAll("body *")].filter((each) => each.checkVisibility()
    && !each.closest(".hidden, .uplot, .controls")
    && (each.scrollWidth > each.clientWidth + 1 && getComputedStyle(each).overflowX !== "visible"
        || each.matches("td, th, dd") && each.clientWidth < 60 && each.textContent.trim().length > 8)
).map((each) => each.outerHTML.slice(0, 200))"""
"""What is scrolled sideways or clipped, and texts in a narrow column."""


def test_narrow_screens_need_no_scrolling_sideways_and_not_much_downwards(opened: Any) -> None:
    page = opened(RESULT, viewport={"width": 360, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert page.evaluate(CRAMPED) == []
    assert page.evaluate("document.documentElement.scrollHeight") < 7_500
    assert page.locator("#findings details[open]").count() == 1


@pytest.mark.slow
def test_many_scenarios_are_folded_and_found_again(opened: Any) -> None:
    wrong = (finding(), finding("opens.pending", "fail"))
    scenarios = [
        scenario(name=f"Scenario {number}", journal=FIRST_ENTRIES, findings=wrong if number % 16 == 3 else (finding(),))
        for number in range(80)
    ]
    page = opened(run_result(scenarios))
    assert page.inner_text(".sums") == "80 scenarios: 75 compliant, 5 not compliant, 0 inconclusive"
    names = page.locator(".overview th[scope=row]:visible").all_inner_texts()
    assert names[:6] == [f"Scenario {number}" for number in (3, 19, 35, 51, 67, 0)]
    assert len(names) == OVERVIEW_MAX
    assert page.locator("#findings details[open]").count() == OPEN_FINDINGS
    assert page.locator(".scenario:visible").count() == 5
    assert page.evaluate("document.documentElement.scrollHeight") < 4_000
    page.get_by_role("button", name="Show 68 more scenarios").click()
    page.get_by_role("link", name="Scenario 79", exact=True).click()
    page.locator("#scenario-79 > details[open]").wait_for()
    page.check("input[value=pass]")
    assert page.locator("#findings > tbody > tr:visible").count() == 24
    page.locator("#findings-more").click()
    assert page.locator("#findings > tbody > tr:visible").count() == int(page.inner_text("#filter-count").split()[0])
    page.get_by_role("button", name="Show 75 compliant scenarios").wait_for()


def test_an_open_finding_has_the_whole_line_and_what_passed_is_short(opened: Any) -> None:
    page = opened(RESULT, viewport={"width": 1920, "height": 1080}, color_scheme="dark")
    wrong = page.locator("#findings tr", has_text="3 missing")
    page.fill("#filter-text", "3 missing")  # whatever other lines there are
    texts = wrong.get_by_text("3 missing").all()
    assert [text.is_visible() for text in texts] == [True, False]
    assert wrong.locator("details").bounding_box()["width"] > page.locator("#findings").bounding_box()["width"] * 0.8
    wrong.locator("summary").click()
    wrong.locator("td.actual").wait_for()
    assert [text.is_visible() for text in texts] == [False, True]
    fine = [finding(f"expectation {number}") for number in range(40)]
    page = opened(run_result([scenario(journal=FIRST_ENTRIES, findings=tuple(fine))]))
    assert page.locator("#findings > tbody > tr:visible").count() == 12


def test_many_problems_are_folded_too(opened: Any) -> None:
    wrong = (finding("opens.pending", "fail"),)
    page = opened(run_result([scenario(journal=FIRST_ENTRIES, findings=wrong, name=f"S{one}") for one in range(30)]))
    assert page.locator(".scenario:visible").count() == 20
    page.get_by_role("button", name="Show 10 more problems").click()
    assert page.locator(".scenario:visible").count() == 30


def test_what_says_nothing_is_left_out(opened: Any) -> None:
    """A plot of a webhook to which nothing was sent, and columns in which each line is the same."""
    page = opened(run_result([scenario(journal=ONE_WEBHOOK_USED, findings=())]))
    assert page.locator("figure canvas").count() == 1
    assert "Nothing was sent to it" in page.inner_text('figure[data-webhook="2"]')
    page = opened(run_result([scenario(journal=AT_ONCE[:2], findings=())]))
    assert page.locator("details[open] .timeline th").all_inner_texts() == ["When", "What", "Outcome"]
    assert page.locator(".plot canvas").count() == 0


def test_paper_is_light_and_has_the_plots(opened: Any) -> None:
    page = opened(RESULT, color_scheme="dark")
    on_screen = pixel(page, 1, 0, 610_000)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print", color_scheme="dark")
    on_paper = pixel(page, 1, 0, 610_000)
    assert greenish(on_screen)
    assert greenish(on_paper)
    assert max(on_paper) < max(on_screen) - 50
    assert page.locator("details[open] .attempts button.open").first.is_visible()
    assert not page.locator("#filter").is_visible()


def test_nothing_happened_is_a_report_too(opened: Any) -> None:
    page = opened(run_result([scenario(journal=exporter().journal.entries, findings=(), trouble="nobody there")]))
    assert page.inner_text("h1") == "Inconclusive"
    assert "Nothing was sent." in page.inner_text("main")


def test_data_is_bounded() -> None:
    assert DATA_BYTES_MAX * 4 / 3 < 2 * MEGABYTE - 150_000


@pytest.mark.slow
def test_the_picture_of_the_readme(chromium: Any, tmp_path: Path) -> None:
    """Of a real run: the README's own scenario, and a consumer that takes mailId for an event id."""
    root = ROOT
    readme = documentation()
    [text] = re.findall(r"```yaml\n(name: A two-hour.*?)```", readme, re.DOTALL)
    (tmp_path / "outage.scenario.yaml").write_text(text)
    with serve_in_thread(
        consumer_app("dedup-key-mail-id", basic_authentication=BasicAuthentication("acme", "secret"))
    ) as url:
        arguments = ("run", "outage.scenario.yaml", "--seed", "4", "--html", "report.html")
        done = mockcampaign(*arguments, folder=tmp_path, CONSUMER_URL=url)
    assert (done.returncode, done.stderr) == (1, "")
    address = (tmp_path / "report.html").as_uri()
    with clean_page(chromium, address, viewport={"width": 1080, "height": 900}) as page:
        page.goto(address)
        page.wait_for_selector("html[data-ready]", state="attached")
        bottom = page.locator(".key").bounding_box()
        height = bottom["y"] + bottom["height"] + 16
        picture = page.screenshot(full_page=True, clip={"x": 0, "y": 0, "width": 1080, "height": height})
    assert picture.startswith(b"\x89PNG")
    assert "](fixtures/report.png)" in readme
    if os.environ.get("GOLDEN") == "write":
        (root / "fixtures/report.png").write_bytes(picture)
    assert (root / "fixtures/report.png").stat().st_size < 300_000
