"""Pages in a real browser, which must be quiet and keep to their own server."""

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Request


@contextmanager
def visiting(
    browser: Browser,
    url: str,
    *,
    told: Collection[str] = (),
    known_faults: Sequence[str] = (),
    **looks: Any,
) -> Iterator[Page]:
    """Open a page; `looks` go to `Browser.new_context`: viewport, color_scheme, has_touch, …

    In the end, nothing may stand on its console as an error or a warning but what is `told` in
    advance, which must; no dialog may have opened; and it may have asked no other server than its
    own for anything, a page of a file for nothing but itself. `known_faults` are patterns of whole
    faults that a page of others may have.
    """
    own = urlsplit(url)
    faults: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            faults.append(f"{message.type}: {message.text} ({message.location['url']})")

    def asked(request: Request) -> None:
        wanted = urlsplit(request.url)
        parts = slice(3 if own.scheme == "file" else 2)  # scheme, place and, of a file, its path
        if wanted.scheme not in {"data", "blob"} and wanted[parts] != own[parts]:
            faults.append(f"asked for {request.url}")

    def opened(dialog: Dialog) -> None:
        faults.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    context = browser.new_context(**looks)
    page = context.new_page()
    page.on("console", heard)
    page.on("pageerror", lambda error: faults.append(f"uncaught: {error}"))
    page.on("request", asked)
    page.on("dialog", opened)
    try:
        page.goto(url)
        yield page
    finally:
        context.close()
    known = re.compile("|".join(known_faults) or "(?!)")  # (?!) fits nothing
    ours = [fault for fault in faults if not known.fullmatch(fault)]
    untold = [fault for fault in ours if not any(part in fault for part in told)]
    assert not untold, untold
    missed = [part for part in told if not any(part in fault for fault in ours)]
    assert not missed, missed
