# Everything a newcomer types. `make help` lists it.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13)
UV_VERSION := 0.13.9
PIP_AUDIT_VERSION := 2.10.1
# Two workers, whole modules at a time, in the order of tests/conftest.py.
PYTEST := pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# Without bytecode every process compiles all that it imports: `skipintro models` takes 40 s.
# Containers often set PYTHONDONTWRITEBYTECODE, and uv compiles nothing unless asked.
export UV_COMPILE_BYTECODE := 1

.PHONY: help deps env repro test golden coverage test-services test-latest torture torture-wide fuzz lint ui cv \
  report bench lock licences audit clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

env: .venv/.complete  ## the environment in .venv, from requirements.lock
	@python -m compileall -q src

repro: env  ## the main job: demo episodes, then `dvc repro`, up to the registered model
	dvc repro
	@echo 'figures: reports/evaluate/comparison.md; every episode: make report; next: skipintro promote'

test: env lint  ## lint, types and all tests
	$(PYTEST)

golden: env  ## write what tests/test_golden.py expects anew, after a change that changes bytes
	WRITE_GOLDEN=1 pytest tests/test_golden.py -k every_output

coverage: env  ## lines and branches of the package that the tests reach, in all processes
	rm -rf .coverage && mkdir .coverage
	COVERAGE_FILE=$(CURDIR)/.coverage/data coverage run -m $(PYTEST)
	COVERAGE_FILE=$(CURDIR)/.coverage/data coverage combine --quiet
	COVERAGE_FILE=$(CURDIR)/.coverage/data coverage report

test-services: env  ## the pipeline against PostgreSQL, S3 and an MLflow server, started here
	uv pip install --quiet -c requirements.lock --editable '.[dev,services]'
	pytest -m services

test-latest: env  ## the tests with the newest releases that pyproject.toml takes, in .venv-latest
	uv venv --quiet --clear --python .venv/bin/python .venv-latest
	uv pip install --quiet --python .venv-latest/bin/python --upgrade --editable '.[dev]'
	@echo "locked (<) and newest (>):"
	@uv pip freeze --python .venv/bin/python >.venv-latest/locked.txt
	@uv pip freeze --python .venv-latest/bin/python | diff .venv-latest/locked.txt - | grep '[<>]' || true
	.venv-latest/bin/$(PYTEST) --deselect tests/test_dependencies.py $(TESTS)

# In one process: what an attack takes is measured, and held against limits.
torture: env  ## attacks on every promise of docs/reliability.md, at full size: an hour
	pytest -m hypothesis --hypothesis-profile random
	pytest tests/torture --torture=full --table reports/torture.md

torture-wide: env  ## more cases of these attacks than `make test` has: minutes
	$(PYTEST) tests/torture --torture=wide

fuzz: env  ## a fuzzer without end on one parser: make fuzz TARGET=labels (overrides, params, …)
	PYTHONPATH=src:tests python -m torture.fuzzing $(or $(TARGET),labels)

lint: env  ## formatting, lint and types
	ruff format --check
	ruff check
	mypy

ui: env  ## the MLflow UI on http://127.0.0.1:5000, to compare runs
	exec env MLFLOW_DISABLE_TELEMETRY=true MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false \
	mlflow ui --backend-store-uri "$${MLFLOW_TRACKING_URI:-sqlite:///$(CURDIR)/mlflow.db}" \
	  --workers 1 --host 127.0.0.1 --port 5000

cv: env  ## series-disjoint cross-validation over several seeds, on the embedded episodes
	skipintro cv

report: env  ## open the report of the last evaluation, with today's champion beside
	skipintro report

bench: env  ## time and memory of the main job in a fresh clone, and of its parts: an hour or so
	python benchmarks/arithmetic.py
	python benchmarks/portable.py
	python benchmarks/int8.py
	python benchmarks/embedding_speed.py
	python benchmarks/cost.py
	python benchmarks/videos_at_once.py
	python benchmarks/adding_one.py
	python benchmarks/shelf.py
	python benchmarks/detection_time.py
	python benchmarks/season_time.py
	python benchmarks/sound_first.py
	python benchmarks/engines.py
	python benchmarks/waiting_threads.py
	python benchmarks/episode_memory.py
	python benchmarks/command_times.py
	python benchmarks/main_job.py

lock: env  ## resolve requirements.lock anew, for Linux, macOS and Windows, Python 3.11 to 3.13
	uv pip compile pyproject.toml --extra dev --extra cluster --extra services --universal \
	  --python-version 3.11 --upgrade --no-header --no-annotate --output-file requirements.lock

deps: env  ## write into DVC's files which code each stage depends on, after a change of imports
	python tests/stage_deps.py

licences: env  ## the licences of all packages, with every extra, as docs/dependencies.md lists them
	@uv pip install --quiet -c requirements.lock --editable '.[dev,services]'
	@python tests/dependency_cases.py

audit: env  ## known vulnerabilities of what requirements.lock names: asks PyPI
	uv tool run pip-audit@$(PIP_AUDIT_VERSION) --strict --disable-pip --no-deps \
	  --progress-spinner off --requirement requirements.lock || { echo "audit: not passed. Either" \
	  "a vulnerability is named above, or the server was not reached or did not know a package:" \
	  "then nothing is known of any of them; ask again from elsewhere"; exit 1; }

clean:  ## remove the environment and all resumable work; data, models and the store stay
	rm -rf .venv .venv-latest .skipintro .mypy_cache .pytest_cache .ruff_cache .hypothesis

.venv/.complete: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "needs Python 3.11, 3.12 or 3.13; or: make PYTHON=/path"; exit 1; }
	$(PYTHON) -m venv --clear .venv
	python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	uv pip install --quiet --python .venv/bin/python -c requirements.lock --editable '.[dev]'
	touch $@
