"""The naming contract of the pipeline's files, and its `deps` against what the code imports."""

import io
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.utils.hydra import apply_overrides
from dvc.utils.serialize._yaml import _dump, parse_yaml_for_update
from dvc_data.hashfile.hash import file_md5

from conftest import Checkout, copy_tracked
from dependency_cases import imported_packages
from skipintro.core.code import APART, imports
from skipintro.core.params import SECTIONS, TOP_LEVEL
from stage_deps import DVC_FILES, code_of, is_code, with_deps

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src"
PARAMS: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))


def stages(name: str) -> dict[str, Any]:
    """Return the stages of one of DVC's files."""
    found: dict[str, Any] = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))["stages"]
    return found


DEMO = stages("data/dvc.yaml")
STAGES = DEMO | stages("dvc.yaml")


@pytest.mark.parametrize("stage", STAGES)
def test_deps_are_exactly_the_files_that_a_stage_s_results_depend_on(stage: str) -> None:
    """After a change of imports: `make deps`."""
    assert [dep for dep in STAGES[stage]["deps"] if is_code(dep)] == code_of(stage)


def test_deps_are_written_from_the_imports_and_all_else_in_dvc_s_files_stays() -> None:
    for name in DVC_FILES:
        text = (ROOT / name).read_text(encoding="utf-8")
        assert with_deps(text) == text
        dep = "      - src/skipintro/core/files.py\n"
        assert with_deps(text.replace(dep, "      - src/skipintro/core\n")) == text


@pytest.mark.parametrize("module", sorted(APART))
def test_what_no_result_depends_on_is_a_module_and_no_dependency(module: str) -> None:
    file = SOURCE.joinpath(*module.split(".")).with_suffix(".py")
    assert file.is_file()
    deps = {dep for stage in STAGES.values() for dep in stage["deps"]}
    assert file.relative_to(ROOT).as_posix() not in deps


@pytest.mark.slow
def test_dvc_runs_again_what_follows_from_arithmetic_and_nothing_for_a_word(
    tmp_path: Path,
) -> None:
    """The real `dvc commit` and `dvc status`, on stages whose outputs are one word each."""
    checkout = copy_tracked(tmp_path)
    checkout.run("git", "init", "-q")
    for stage in STAGES.values():
        for out in (*stage["outs"], *stage.get("metrics", [])):
            path = tmp_path / (out if isinstance(out, str) else next(iter(out)))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("made", encoding="utf-8")
    checkout.run("dvc", "commit", "--force", *DVC_FILES)

    def changed() -> set[str]:
        told = checkout.run("dvc", "status", "--json", *DVC_FILES)
        return {stage.rpartition(":")[2] for stage in json.loads(told.splitlines()[-1])}

    def edit(name: str, before: str, after: str) -> None:
        path = tmp_path / "src" / "skipintro" / name
        text = path.read_text(encoding="utf-8")
        assert before in text
        path.write_text(text.replace(before, after, 1), encoding="utf-8")

    edit("core/progress.py", "going on after", "goes on after")
    edit("core/errors.py", "one line of bounded length", "a short line")
    edit("stages/words.py", "episodes usable", "episodes can be used")
    assert changed() == set()
    edit("model/head.py", "windows + self.position", "windows - self.position")
    assert changed() == {"train", "evaluate", "track"}


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
        imported = imports(SOURCE / "skipintro" / "stages" / f"{stage}.py")
        assert not imported & {f"skipintro.stages.{other}" for other in STAGES}


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
        ("mlflow", {"tracking", "detectors/pyfunc_model.py"}),  # what is logged
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


def test_the_committed_lock_files_are_of_the_code_as_it_is() -> None:
    """Update them with `dvc repro`."""
    locked = stages("data/dvc.lock") | stages("dvc.lock")
    code = {
        dep["path"]: dep["md5"]
        for stage in locked.values()
        for dep in stage["deps"]
        if is_code(dep["path"]) and not dep["md5"].endswith(".dir")
    }
    assert code
    assert [path for path, md5 in code.items() if file_md5(str(ROOT / path)) != md5] == []
