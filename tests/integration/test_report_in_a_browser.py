"""The HTML report in a real browser: offline, on paper, for everybody, however long."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright
from report_samples import findings, report

from s3export.adapters.reports.html import report_html
from s3export.domain.verification import (
    Outcome,
    Report,
)

CHROMIUM = "/usr/bin/chromium"
A4_PAGES = re.compile(rb"/Type\s*/Page\b(?!s)")
PHONE = {"width": 360, "height": 740}
DESKTOP = {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    with sync_playwright() as playwright:
        # The sandbox needs another user than root; the pages are our own.
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"]
        )
        yield browser
        browser.close()


def opened(browser: Browser, folder: Path, report: Report, **how: object) -> Page:
    """Open a report from its file, without a network; whatever it fetches fails."""
    file = folder / "report.html"
    file.write_text(report_html(report), encoding="utf-8")
    context = browser.new_context(offline=True, **how)  # type: ignore[arg-type]
    page = context.new_page()
    asked: list[str] = []
    troubles: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.goto(file.as_uri())
    assert asked == [file.as_uri()]
    assert troubles == []
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("count", [0, 200])
def test_the_report_is_for_everybody(
    browser: Browser, tmp_path: Path, scheme: str, size: dict[str, int], count: int
) -> None:
    """Axe finds nothing amiss, light or dark; nothing is wider than the window."""
    page = opened(browser, tmp_path, report(count), color_scheme=scheme, viewport=size)

    found = Axe().run(page)

    assert found.violations_count == 0, found.generate_report()
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= size["width"]
    page.context.close()


def test_axe_sees_what_is_wrong(browser: Browser) -> None:
    """Grey on grey and a picture without words are found."""
    page = browser.new_page()
    page.set_content(
        "<html><title>t</title><p style='color:#999;background:#aaa'>pale</p>"
        "<img src='data:,'></html>"
    )

    found = {each["id"] for each in Axe().run(page).response["violations"]}

    assert {"color-contrast", "image-alt"} <= found
    page.close()


@pytest.mark.parametrize("count", [0, 10])
def test_a_report_is_printed_on_two_pages(
    browser: Browser, tmp_path: Path, count: int
) -> None:
    """Of A4; a short list of findings is among them."""
    page = opened(browser, tmp_path, report(count))

    paper = page.pdf(prefer_css_page_size=True)

    assert 1 <= len(A4_PAGES.findall(paper)) <= 2
    page.context.close()


def test_fifty_thousand_findings_are_shown(browser: Browser, tmp_path: Path) -> None:
    """Each has its row; on paper the first ones are, and how many there are."""
    page = opened(browser, tmp_path, report(50_000))

    rows = page.locator(".findings tbody tr")
    assert rows.count() == 50_000
    rows.last.scroll_into_view_if_needed()
    assert "49999.jpg" in (rows.last.text_content() or "")
    assert "\u202e" not in page.content()
    paper = page.pdf(prefer_css_page_size=True)
    assert len(A4_PAGES.findall(paper)) <= 4
    page.emulate_media(media="print")
    assert page.get_by_text("The first 30 of 50,000 are printed").is_visible()
    assert not rows.nth(30).is_visible()
    assert rows.nth(29).is_visible()
    page.context.close()


def test_the_plots_say_what_the_tables_say(browser: Browser, tmp_path: Path) -> None:
    """Folders, evidence, and where files cannot be read; the rest counts together."""
    page = opened(browser, tmp_path, report(200))

    plots = page.locator("svg[role=img]")
    names = [plots.nth(n).get_attribute("aria-label") for n in range(plots.count())]
    assert [str(name).partition(";")[0].partition(":")[0] for name in names] == [
        "Files by outcome",
        "Files by size",
        "Files by year of modification",
        "Files by folder",
        "Unreadable files by folder",
    ]
    page.locator("summary", has_text="by folder").click()
    shown = page.locator("details[open] tbody tr").all_inner_texts()
    assert len(shown) == 13
    assert shown[-1].split("\t") == ["all other folders", "50", "2,100"]
    counted = Counter(f.outcome for f in findings(200))
    cells = page.locator("h3:has-text('By evidence') + table tbody tr")
    rows = [text.split("\t") for text in cells.all_inner_texts()]
    assert ["etag-md5", "match", "100"] in rows
    assert counted[Outcome.UNREADABLE] == sum(
        int(number) for _, outcome, number in rows if outcome == "unreadable"
    )
    page.context.close()
