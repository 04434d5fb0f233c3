"""Everything that talks to MLflow; no other module imports it."""

import logging
import os

# MLflow reads these while it is imported, so they have to stand before the first import of it.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
# A server that does not respond is reported within seconds, not after MLflow's default of minutes.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
# The same of PostgreSQL's client, which else waits as long as the network does.
os.environ.setdefault("PGCONNECT_TIMEOUT", "10")
# Its warnings repeat whole addresses; the errors that follow say what is wrong.
logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
# It logs a database's faults with tracebacks, and raises them as well.
logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
