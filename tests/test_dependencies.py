"""What the project brings along: exact versions, and licences that go with MIT."""

import re
from importlib.util import cache_from_source, find_spec
from pathlib import Path

import pytest

from conftest import ROOT
from dependency_cases import EXCEPTIONS, LOCK, installed, is_accepted, locked

PAGE = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")


def test_everything_that_is_installed_is_pinned_exactly_and_as_pinned() -> None:
    pins = locked()
    found = {package.name: package.version for package in installed()}
    assert len(found) > 100
    assert found == {name: pins.get(name) for name in found}


@pytest.mark.parametrize("name", ["mlflow", "torch", "skipintro"])
def test_what_is_installed_is_byte_compiled(name: str) -> None:
    spec = find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    assert Path(cache_from_source(spec.origin)).is_file(), "`make env` compiles it"


def test_the_lock_file_names_no_address_and_no_file() -> None:
    lines = LOCK.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not re.match(r"[a-z0-9-]+==[^ ]+( ; .+)?$", line)] == []
    assert "://" not in LOCK.read_text(encoding="utf-8")


def test_every_licence_goes_with_mit_or_is_a_named_exception() -> None:
    refused = [package for package in installed() if not package.is_accepted]
    assert refused == [], "accept it, or name it with the reason, in tests/dependency_cases.py"


def test_no_exception_is_kept_for_what_needs_none() -> None:
    names = {re.sub("^nvidia-.*", "nvidia-*", name) for name in locked()}
    assert set(EXCEPTIONS) <= names | {"cuda-toolkit", "nvidia-*"}


@pytest.mark.parametrize(
    ("licence", "is_taken"),
    [
        *(("MIT", True), ("MIT AND Zlib", True), ("GPL-3.0-only OR MIT", True), ("", False)),
        *(("GPL-3.0-only", False), ("MIT AND GPL-3.0-only", False), ("UNKNOWN", False)),
    ],
)
def test_one_licence_of_several_is_enough_only_where_one_may_choose(
    licence: str, is_taken: bool
) -> None:
    assert is_accepted(licence) == is_taken


def test_the_page_lists_every_package_with_its_licence() -> None:
    rows = set(re.findall(r"^\| (\S+) \| (.*?) \| .*\|$", PAGE, re.MULTILINE))
    assert {(package.name, package.licence) for package in installed()} <= rows
