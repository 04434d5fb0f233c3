"""Responses as JSON: rows as `skipintro detect --format json` has them, and faults."""

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from skipintro.service.http_errors import RefusalError


def as_json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return ASCII, since the name of a file need not be valid Unicode."""
    return Response(json.dumps(value), status, headers, "application/json")


def error_response(refusal: RefusalError) -> Response:
    """Return `{"error": …}`."""
    return as_json({"error": refusal.fault}, refusal.status, refusal.headers)
