"""Pages in a real browser: headless Chromium, driven by playwright, with every complaint and request kept."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clipeval.compare.job import Comparison, compare
from clipeval.data import load_dataset
from clipeval.encoders.defaults import default_models
from clipeval.report.figures.of_comparison import comparison_charts
from clipeval.report.html.comparison_page import comparison_page
from clipeval.report.html.render import page_html
from clipeval.report.html.thumbnails import thumbnails

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """One Chromium for all tests of a worker."""
    if importlib.util.find_spec("playwright") is None:
        pytest.skip("needs clipeval[dev]: playwright not installed")
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def opened(browser: Any) -> Iterator[Callable[..., Any]]:
    """Open a page from disk; at the end it must have complained of nothing and asked for nothing."""
    contexts, problems, requests = [], [], []

    def open_page(path: Path, place: str = "", *, width: int = 1280, scheme: str = "light") -> Any:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)  # a busy machine is no error
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("dialog", lambda dialog: problems.append(f"a script ran: {dialog.message}"))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(f"{path.as_uri()}{place}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert problems == []
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    assert len({url for url in requests if url.startswith("file:")}) <= len(contexts)


@pytest.fixture(scope="session")
def until() -> Callable[[Any, str], None]:
    """Wait until an expression is true; the page's policy forbids playwright's own way, which is eval."""

    def wait(page: Any, expression: str) -> None:
        for _ in range(100):
            if page.evaluate(expression):
                return
            page.wait_for_timeout(30)
        raise AssertionError(f"never true: {expression}")

    return wait


@pytest.fixture(scope="session")
def job() -> Comparison:
    """The default models on the embedded pictures; random Pre-CLIP and ConSE run without torch too."""
    return compare(list(default_models(42)), load_dataset("embedded"), offline=True, probing=False)


@pytest.fixture(scope="session")
def written(job: Comparison, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its page on disk."""
    path = tmp_path_factory.mktemp("page") / "report.html"
    page = comparison_page(job, pictures=thumbnails(job.dataset.items), charts=comparison_charts(job))
    path.write_text(page_html(page), encoding="utf-8")
    return path
