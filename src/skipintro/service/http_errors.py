"""The error that a client gets instead of a result."""

from collections.abc import Mapping

from skipintro.core.errors import one_line


class RefusalError(Exception):
    """An HTTP status with one line: what, where, remedy."""

    def __init__(self, status: int, fault: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(fault)
        self.status, self.fault, self.headers = status, one_line(fault), dict(headers or {})
