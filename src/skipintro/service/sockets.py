"""The socket that a server listens on."""

import socket

from skipintro.core.errors import InputError


def listen(host: str, port: int) -> socket.socket:
    """Return the socket; port 0 is any free one. Raises InputError where there is none."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=1024)
    except (OSError, OverflowError) as error:
        raise InputError(f"--host {host} --port {port}: {error}; choose others") from error
