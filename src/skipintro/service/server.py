"""The server: from its start to an end in order."""

import socket
from pathlib import Path

import uvicorn

from skipintro.service.app import Limits, make_app
from skipintro.service.connections import Timed, configured
from skipintro.service.metrics import Measures
from skipintro.service.predictor import Plan
from skipintro.service.worker import Worker


class Server(uvicorn.Server):
    """A server that responds to waiting clients before it ends."""

    def __init__(self, config: uvicorn.Config, worker: Worker) -> None:
        super().__init__(config)
        self.worker = worker

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End; a signal leads here."""
        self.worker.end()
        await super().shutdown(sockets)


def make_server(
    plan: Plan,
    uploads: Path,
    *,
    n_waiting: int,
    time_limit_s: float,
    most_bytes: float,
    token: str | None,
) -> Server:
    """Return the server; uploads are in a folder that exists."""
    measures = Measures()
    worker = Worker(plan, measures, n_waiting=n_waiting, time_limit_s=time_limit_s)
    app = make_app(plan, worker, measures, Limits(time_limit_s, most_bytes, uploads), token)
    return Server(configured(app, Timed), worker)
