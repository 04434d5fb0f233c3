"""Pages in a real browser, which must be quiet and keep to their own server."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, Request


@contextmanager
def visiting(browser: Browser, url: str, **looks: Any) -> Iterator[Page]:
    """Open a page; `looks` go to `Browser.new_context`: viewport, color_scheme, has_touch, …

    In the end, nothing may stand on its console as an error or a warning, and it may have asked
    no other server than its own for anything, a page of a file none at all.
    """
    own = urlsplit(url)
    faults: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            faults.append(f"{message.type}: {message.text}")

    def asked(request: Request) -> None:
        wanted = urlsplit(request.url)
        if wanted.scheme not in {"data", "blob"} and wanted[:2] != own[:2]:
            faults.append(f"asked for {request.url}")

    context = browser.new_context(**looks)
    page = context.new_page()
    page.on("console", heard)
    page.on("pageerror", lambda error: faults.append(f"uncaught: {error}"))
    page.on("request", asked)
    try:
        page.goto(url)
        yield page
    finally:
        context.close()
    assert faults == []
