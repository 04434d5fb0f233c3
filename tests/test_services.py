"""The pipeline on real servers: MLflow on PostgreSQL and S3, DVC's remote on S3, two machines.

`make test-services` runs this; PostgreSQL comes from the system, the S3 server from PyPI (moto).
"""

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
import yaml

from conftest import ROOT, Checkout, make_checkout
from server_cases import free_port, is_healthy, listens, running, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.services]

BIN = Path(sys.executable).parent
KEYS = {  # moto's server takes any
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@dataclass(frozen=True)
class Services:
    """Where the servers answer, and what a client of theirs needs in its environment."""

    database: str
    s3: str
    mlflow: str
    env: dict[str, str]


def postgres_folder() -> Path | None:
    """Return the folder of initdb and postgres, the newest where there are several."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    places = Path("/usr/lib/postgresql").glob("*/bin/initdb")  # Debian keeps them off the PATH
    return max((p.parent for p in places), key=lambda p: int(p.parent.name), default=None)


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Start PostgreSQL in an empty folder; gives the URI of its database."""
    programs = postgres_folder()
    assert programs is not None
    user = None
    folder.mkdir()
    if os.geteuid() == 0:  # PostgreSQL refuses root
        user = "postgres" if "postgres" in {u.pw_name for u in pwd.getpwall()} else "nobody"
        shutil.chown(folder, user)
        for parent in folder.parents:  # pytest's own folders are closed to others
            if parent.owner() == "root" and parent != Path(parent.anchor):
                parent.chmod(parent.stat().st_mode | 0o011)
    data, port = folder / "data", free_port()
    subprocess.run(
        [programs / "initdb", "-D", data, "-U", "mlflow", "-A", "trust", "-E", "UTF8", "-N"],
        check=True,
        capture_output=True,
        user=user,
        cwd=folder,
    )
    words = [str(programs / "postgres"), "-D", str(data), "-p", str(port), "-h", "127.0.0.1"]
    words += ["-k", "", "-c", "fsync=off"]
    log = folder / "postgres.log"
    with running(words, log, user=user) as server:
        wait_for(lambda: "ready to accept" in log.read_text("utf-8"), server, log, 60)
        yield f"postgresql://mlflow@127.0.0.1:{port}/postgres"


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """Start PostgreSQL, S3 with two buckets, and MLflow's server on both."""
    if postgres_folder() is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    folder = tmp_path_factory.mktemp("services")
    with ExitStack() as stack:
        database = stack.enter_context(postgres(folder / "postgres"))
        port, log = free_port(), folder / "s3.log"
        words = [str(BIN / "moto_server"), "-H", "127.0.0.1", "-p", str(port)]
        server = stack.enter_context(running(words, log))
        wait_for(lambda: listens(port), server, log, 60)
        s3 = f"http://127.0.0.1:{port}"
        for bucket in ("skipintro-data", "skipintro-mlflow"):
            s3_client(s3).create_bucket(Bucket=bucket)

        port, log = free_port(), folder / "mlflow.log"
        words = [str(BIN / "mlflow"), "server", "--host", "127.0.0.1", "--port", str(port)]
        words += ["--backend-store-uri", database, "--workers", "1"]
        words += ["--artifacts-destination", "s3://skipintro-mlflow"]
        env = {**os.environ, **KEYS, "MLFLOW_S3_ENDPOINT_URL": s3}
        env |= {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        server = stack.enter_context(running(words, log, env=env))
        mlflow = f"http://127.0.0.1:{port}"
        wait_for(lambda: is_healthy(f"{mlflow}/health"), server, log, 180)
        # A client of MLflow's server needs no key of S3; DVC's does.
        yield Services(database, s3, mlflow, {"MLFLOW_TRACKING_URI": mlflow})


def keys_in(services: Services, bucket: str) -> list[str]:
    listed = s3_client(services.s3).list_objects_v2(Bucket=bucket)
    return [item["Key"] for item in listed.get("Contents", [])]


def s3_client(url: str) -> Any:
    import boto3  # noqa: PLC0415  of the extra `cluster`

    return boto3.client(
        "s3",
        endpoint_url=url,
        aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
        region_name=KEYS["AWS_DEFAULT_REGION"],
    )


PREDICT = """
import json, sys
import mlflow
detector = mlflow.pyfunc.load_model("models:/intro-detector@champion")
print("FOUND", json.dumps(detector.predict(sys.argv[1:])[["start_s", "end_s"]].values.tolist()))
"""


def test_an_experiment_on_one_machine_is_pulled_and_its_champion_used_on_another(
    services: Services, toy_series: Path, tmp_path: Path
) -> None:
    here = make_checkout(tmp_path / "here", toy_series)
    here.env |= {**services.env, **KEYS}
    here.run("dvc", "repro")
    assert not (here.folder / "mlflow.db").exists()
    assert not (here.folder / "mlartifacts").exists()
    stored = [key.rpartition("/")[2] for key in keys_in(services, "skipintro-mlflow")]
    assert {"model.safetensors", "openings.safetensors"} <= set(stored)
    assert finished_runs(services.database) == 1

    here.run("dvc", "remote", "add", "--default", "s3", "s3://skipintro-data/skipintro")
    here.run("dvc", "remote", "modify", "s3", "endpointurl", services.s3)
    here.run("dvc", "push")
    assert keys_in(services, "skipintro-data")
    here.run("git", "add", "-A")
    here.run("git", "commit", "-qm", "experiment")

    there = Checkout(tmp_path / "there")
    there.env |= {**services.env, **KEYS}
    here.run("git", "clone", "-q", str(here.folder), str(there.folder))
    assert not (there.folder / "data" / "embed").exists()
    there.run("dvc", "pull")
    for name in ("data/embed", "models/fit", "reports/evaluate/report.html"):
        assert same(here.folder / name, there.folder / name), name
    output = there.run("dvc", "repro")
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]
    assert output.count("didn't change") == len(stages) - 1
    assert finished_runs(services.database) == 1  # `track` found it there

    skipintro = str(BIN / "skipintro")
    assert "version 1 is @champion" in there.run(skipintro, "promote", PYTHONPATH="src")
    elsewhere = Checkout(tmp_path / "elsewhere")
    elsewhere.env |= services.env
    elsewhere.folder.mkdir()
    names = ("train/toy-s01e01", "train/toy-s01e02", "test/toy-s01e03")
    videos = [str(toy_series / name / f"{name[-10:]}.mp4") for name in names]
    output = elsewhere.run(sys.executable, "-c", PREDICT, *videos)
    assert "FOUND [[0.0, 16.0], [4.0, 20.0], [2.0, 18.0]]" in output


def finished_runs(database: str) -> int:
    """Count the runs in the tables themselves, past MLflow."""
    engine = sqlalchemy.create_engine(database)
    with engine.connect() as connection:
        query = sqlalchemy.text("select count(*) from runs where status = 'FINISHED'")
        return int(connection.execute(query).scalar_one())


def same(one: Path, other: Path) -> bool:
    """Tell whether two files or folders hold the same bytes."""
    if one.is_file():
        return one.read_bytes() == other.read_bytes()
    names = {p.relative_to(one) for p in one.rglob("*")}
    return names == {p.relative_to(other) for p in other.rglob("*")} and all(
        same(one / name, other / name) for name in names if (one / name).is_file()
    )
