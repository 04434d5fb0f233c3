"""The page: what a person sees, in one piece.

It holds nothing of the data; those come as JSON and are shown as text. Page, looks and behaviour
are beside this module in page.html.j2, page.css and page.js.
"""

import base64
import hashlib
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined

_PACKAGE = "skipintro.review"


def render() -> tuple[str, str]:
    """Return the page as HTML, and its content policy: its own style, script and server alone."""
    script, style = _text("page.js"), _text("page.css")
    environment = Environment(
        loader=PackageLoader(_PACKAGE, ""), autoescape=True, undefined=StrictUndefined
    )
    html = environment.get_template("page.html.j2").render(script=script, style=style)
    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src '{_sha256(script)}'",
            f"style-src '{_sha256(style)}'",
            "img-src 'self' data:",
            "media-src 'self'",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )
    return html, policy


def _text(name: str) -> str:
    return (resources.files(_PACKAGE) / name).read_text(encoding="utf-8")


def _sha256(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
