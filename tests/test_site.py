"""The documentation as a site: links as on GitHub, and pages that read from a folder without the network."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from browsers import browser, clean_page
from mockcampaign.cli import COMMANDS
from places import ROOT, documentation
from site_links import with_places, with_tabs
from site_reference import GENERATED, prose, with_generated

PLACES = {"ARCHITECTURE.md": "explanation/architecture.md"}


@pytest.mark.parametrize(
    ("source", "markdown", "shown"),
    [
        ("docs/how-to/install.md", "[a](use-the-image.md)", "[a](use-the-image.md)"),
        (
            "docs/how-to/install.md",
            "[a](../../ARCHITECTURE.md#the-rooms)",
            "[a](../explanation/architecture.md#the-rooms)",
        ),
        ("docs/README.md", "[a](../ARCHITECTURE.md)", "[a](explanation/architecture.md)"),
        ("ARCHITECTURE.md", "[a](docs/how-to/install.md)", "[a](../how-to/install.md)"),
        ("docs/README.md", "[a](https://example.com/x) [b](#here)", "[a](https://example.com/x) [b](#here)"),
        ("docs/README.md", "```md\n[a](../ARCHITECTURE.md)\n```\n", "```md\n[a](../ARCHITECTURE.md)\n```\n"),
        ("docs/README.md", "[a](../tests/conftest.py)", "[a](../tests/conftest.py)"),  # MkDocs says that it is no page
    ],
)
def test_a_link_leads_to_the_place_of_its_target(source: str, markdown: str, shown: str) -> None:
    assert with_places(markdown, source, PLACES) == shown


def test_each_generated_part_is_in_one_page() -> None:
    marks = re.findall(r"<!-- generated: (\w+) -->", documentation())
    assert sorted(marks) == sorted(GENERATED)


@pytest.mark.slow
def test_a_page_says_where_else_its_generated_part_is_and_the_site_does_not() -> None:
    remarks = re.findall(r"^The list is not in this file: (?:.+\n)+\n<!-- generated", documentation(), re.MULTILINE)
    assert len(remarks) == len(GENERATED)
    assert "not in this file" not in with_generated(documentation())


def test_the_generated_reference_has_what_the_program_has() -> None:
    page = with_generated(
        "# Commands\n\nThe list is not in this file: more\nfollows.\n\n<!-- generated: commands -->\n"
    )
    assert page.startswith("# Commands\n\n## `demo`\n\nCheck a correct")
    assert {f"## `{name}`" for name in COMMANDS} <= {*page.splitlines()}
    assert "| `PROBE_SQL` | `--probe-sql` | `check`" in with_generated("<!-- generated: environment -->")
    assert "`POST /rest/{clientId}/webhooks` (`createWebhook`)" in with_generated("<!-- generated: http -->")
    assert "| `count` | required |" in with_generated("<!-- generated: journal -->")
    assert "`timeout` = `10000`\n:   Time after which" in with_generated("<!-- generated: policy -->")


def test_examples_in_several_languages_are_tabs() -> None:
    markdown = "## Broken\n\n### Python\n\n```python\n# a\n\nb\n```\n\n### PHP\n\n```php\nc\n```\n\nAn end.\n"
    assert with_tabs(markdown) == (
        '## Broken\n\n=== "Python"\n\n    ```python\n    # a\n\n    b\n    ```\n\n'
        '=== "PHP"\n\n    ```php\n    c\n    ```\n\nAn end.\n'
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a `*.yaml` of <b>", "a `*.yaml` of &lt;b>"), ("*x* [1] a_b `c|d`", r"\*x\* \[1\] a\_b `c|d`")],
)
def test_sentences_of_the_program_are_shown_as_they_are(text: str, shown: str) -> None:
    assert prose(text) == shown


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if find_spec("material") is None and not os.environ.get("CI"):
        pytest.skip("no mkdocs-material, which the extra docs brings")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    return folder


@pytest.mark.slow
def test_pages_load_nothing_from_other_hosts(site: Path) -> None:
    loaded = re.compile(r"<(?:link|script|img|iframe|source)[^>]*(?:href|src)=[\"'](?:https?:)?//[^>]*>")
    pages = {page: page.read_text(encoding="utf-8") for page in site.rglob("*.html")}
    assert len(pages) > 20
    assert "Identity of a violation among those" in pages[site / "reference" / "json-report.html"]
    assert "Emit <code>count</code> events" in pages[site / "reference" / "python.html"]
    assert {page: found for page, text in pages.items() if (found := loaded.findall(text))} == {}


@pytest.mark.slow
def test_the_site_searches_without_a_server_on_a_narrow_screen(site: Path) -> None:
    largest = {page.parent: page for page in sorted(site.rglob("*.html"), key=lambda page: page.stat().st_size)}
    with browser() as running, clean_page(running, "file://", viewport={"width": 390, "height": 844}) as page:
        for one in largest.values():
            page.goto(one.as_uri())
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), one
        page.goto((site / "index.html").as_uri())
        page.locator("header > nav > label[for=__search]").click()
        page.locator(".md-search__input").press_sequentially("redelivered batch")
        page.locator(".md-search-result__link").first.click()
        page.wait_for_url("**/*.html?h=*")
