"""The naming contract of the pipeline's files, and its `deps` against what the code imports."""

import ast
import io
import subprocess
import sys
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.utils.hydra import apply_overrides
from dvc.utils.serialize._yaml import _dump, parse_yaml_for_update

from conftest import Checkout
from skipintro.core.params import SECTIONS, TOP_LEVEL
from skipintro.detection.kinds import Kind
from skipintro.tracking.delivery import CODE, PACKAGES

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src"
PARAMS: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))


def stages(name: str) -> dict[str, Any]:
    """Return the stages of one of DVC's files."""
    found: dict[str, Any] = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))["stages"]
    return found


DEMO = stages("data/dvc.yaml")
STAGES = DEMO | stages("dvc.yaml")


def module_file(name: str) -> Path | None:
    path = SOURCE.joinpath(*name.split("."))
    candidates = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in candidates if file.is_file()), None)


@cache
def imported_names(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in names if name.split(".")[0] == "skipintro"}


@cache
def imported_packages(file: Path) -> set[str]:
    """Give the top-level names of everything that a file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return {name.partition(".")[0] for name in names}


def import_closure(module: str, without: frozenset[str] = frozenset()) -> set[str]:
    """Give every local file that importing `module` may run, lazily imported ones too."""
    files: set[Path] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        file = module_file(name)
        if file is None or file in files or name in without:
            continue
        files.add(file)
        parts = name.split(".")
        waiting += [".".join(parts[:depth]) for depth in range(1, len(parts))]
        waiting += imported_names(file)
    return {file.relative_to(ROOT).as_posix() for file in files}


@pytest.mark.parametrize("stage", STAGES)
def test_deps_are_exactly_the_modules_that_a_stage_imports(stage: str) -> None:
    listed = {Path(dep) for dep in STAGES[stage]["deps"] if dep.startswith("src/")}
    imported = {Path(file) for file in import_closure(f"skipintro.stages.{stage}")}
    covered = {file for file in imported if listed & {file, *file.parents}}
    assert {f for f in imported - covered if f.name != "__init__.py"} == set()  # docstrings
    assert [dep for dep in listed if not any(dep in {f, *f.parents} for f in imported)] == []
    assert not listed & {Path("src"), Path("src/skipintro"), Path("src/skipintro/stages")}


def test_the_closure_follows_imports_inside_functions() -> None:
    assert "src/skipintro/encoder/clip.py" in import_closure("skipintro.stages.embed")


@pytest.mark.parametrize("stage", STAGES)
def test_stage_module_section_and_command_share_one_name(stage: str) -> None:
    assert stage in SECTIONS
    assert stage in STAGES[stage]["params"]
    command = f"python -m skipintro.stages.{stage}"
    assert STAGES[stage]["cmd"] == f"PYTHONPATH=src DVC_PID=$PPID {command}"


def test_stages_stand_in_the_order_of_their_sections_and_run_in_the_root() -> None:
    assert list(STAGES) == [section for section in SECTIONS if section in STAGES]
    assert {name: one["wdir"] for name, one in STAGES.items() if "wdir" in one} == {"demo": ".."}


def test_the_demo_is_rendered_only_where_it_is_the_source(
    checkout: Checkout, toy_series: Path
) -> None:
    """Two plans of DVC, which takes two seconds for each; both end where data is yet to be made."""
    told = {
        source: checkout.run(
            "dvc", "exp", "run", "--dry", "-S", f"ingest.source={source}", fails=True
        )
        for source in ("data/demo", str(toy_series))
    }
    for source, output in told.items():
        assert ("Running stage 'data/dvc.yaml:demo'" in output) == (source == "data/demo"), output
    assert "Running stage 'ingest'" in told[str(toy_series)]


@pytest.mark.parametrize("stage", STAGES)
def test_everything_that_a_stage_writes_lies_in_the_folder_of_its_name(stage: str) -> None:
    for kind in ("outs", "metrics"):
        for out in STAGES[stage].get(kind, []):
            path = next(iter(out)) if isinstance(out, dict) else out
            assert stage in Path(path).parts[:2]


@pytest.mark.parametrize("stage", STAGES)
def test_git_ignores_what_dvc_keeps_by_a_file_that_the_stage_does_not_replace(stage: str) -> None:
    outs = [out for out in STAGES[stage].get("outs", []) if isinstance(out, str)]
    told = subprocess.run(
        ["git", "check-ignore", "--no-index", "--verbose", "--non-matching", *outs],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,  # 1 where it ignores none
    ).stdout.splitlines()
    assert len(told) == len(outs)
    for out, line in zip(outs, told, strict=True):
        source = line.partition(":")[0]
        folder = Path(*Path(out).parts[:2])
        assert source, f"{out}: not ignored"
        assert not Path(source).is_relative_to(folder), f"{out}: by {source}"


def test_stages_import_no_other_stage() -> None:
    for stage in STAGES:
        imported = imported_names(SOURCE / "skipintro" / "stages" / f"{stage}.py")
        assert not [name for name in imported if name.startswith("skipintro.stages")]


def test_params_file_is_written_as_dvc_writes_it(tmp_path: Path) -> None:
    """So that `dvc exp run -S epochs=21` changes that one line."""
    before = (ROOT / "params.yaml").read_text(encoding="utf-8")
    stream = io.StringIO()
    _dump(parse_yaml_for_update(before, "params.yaml"), stream)
    assert stream.getvalue() == before
    path = tmp_path / "params.yaml"
    path.write_text(before, encoding="utf-8")
    apply_overrides(path, [f"epochs={PARAMS['epochs'] + 1}"])
    after = path.read_text(encoding="utf-8")
    lines = zip(before.splitlines(), after.splitlines(), strict=True)
    [(old, new)] = [(old, new) for old, new in lines if old != new]
    assert old.startswith(f"epochs: {PARAMS['epochs']} ")
    assert new.startswith(f"epochs: {PARAMS['epochs'] + 1} ")


def test_params_file_holds_exactly_the_known_sections() -> None:
    assert set(PARAMS) == {*SECTIONS, *TOP_LEVEL}


@pytest.mark.parametrize(
    ("package", "places"),
    [
        ("av", {"video", "sidecars/mux.py"}),  # one reads, one writes containers
        ("open_clip", {"encoder/clip.py"}),
        ("matplotlib", {"evaluation/plots.py"}),
        ("mlflow", {"tracking"}),
        ("ray", {"engines/ray_engine.py"}),
    ],
)
def test_heavy_packages_have_one_importer(package: str, places: set[str]) -> None:
    importers = {
        file.relative_to(SOURCE / "skipintro").as_posix()
        for file in (SOURCE / "skipintro").rglob("*.py")
        if package in imported_packages(file)
    }
    assert {next((p for p in places if f.startswith(p)), f) for f in importers} == places


@pytest.mark.parametrize("kind", ["openings", "head"])
def test_a_registered_model_has_the_code_and_packages_that_it_imports_and_no_others(
    kind: Kind,
) -> None:
    of_heads = {"skipintro.detection.head_detector", "skipintro.core.device"}
    without = frozenset(of_heads if kind == "openings" else ())
    imported = {
        package
        for file in import_closure("skipintro.tracking.pyfunc_model", without)
        for package in imported_packages(ROOT / file)
    }
    assert ("torch" in imported) == (kind == "head")
    files = import_closure("skipintro.tracking.pyfunc_model", without)
    folders = {Path(file).parts[2] for file in files} - {"__init__.py", "tracking"}
    assert folders == set(CODE[kind])
    distributions = packages_distributions()
    required = {name.replace("_", "-").lower() for name in PACKAGES[kind]}
    of_package = {
        package: {name.replace("_", "-").lower() for name in distributions[package]}
        for package in imported - set(sys.stdlib_module_names) - {"skipintro"}
        if package != "sklearn"  # which fits trees; a registered model reads them
    }
    assert not [package for package, names in of_package.items() if not names & required]
    of_open_clip = {"timm", "torchvision"}
    assert required - of_open_clip <= {n for names in of_package.values() for n in names}


def test_the_committed_lock_files_know_the_same_dependencies_as_the_pipeline() -> None:
    """Update it with `dvc repro`, or `dvc commit` after an edit that changes no output."""
    assert stages("data/dvc.lock").keys() == DEMO.keys()
    assert stages("dvc.lock").keys() == STAGES.keys() - DEMO.keys()
    locked = stages("data/dvc.lock") | stages("dvc.lock")
    values = {
        "${ingest.source}": PARAMS["ingest"]["source"],
        "${annotate.overrides}": PARAMS["annotate"]["overrides"],
        "${fit.start_from}": PARAMS["fit"]["start_from"],
    }
    for name, stage in STAGES.items():
        known = {dep["path"] for dep in locked[name]["deps"]}
        assert known == {values.get(dep, dep) for dep in stage["deps"]}, name
