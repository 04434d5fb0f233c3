"""Guards broken on purpose, one at a time, in a copy of the repository: a named test goes red."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import pytest

from conftest import ROOT, Checkout, copy_tracked
from torture.conftest import Attack
from torture.named import exists

SOURCE = Path("src/skipintro")


@dataclass(frozen=True)
class Guard:
    """A piece of code that guards, what takes its place, and the test that must notice."""

    name: str
    file: str  # below SOURCE
    stands: str  # once in the file
    broken: str
    test: str  # below tests

    @contextmanager
    def lowered(self, root: Path) -> Iterator[None]:
        """Break the guard in a copy of the repository for as long as the block lasts."""
        path = root / SOURCE / self.file
        code = path.read_text(encoding="utf-8")
        path.write_text(code.replace(self.stands, self.broken), encoding="utf-8")
        try:
            yield
        finally:
            path.write_text(code, encoding="utf-8")


GUARDS = (
    Guard(
        "the temporary name and the renaming",
        "core/files.py",
        'draft, before = work_dir / path.name, work_dir / "before"',
        'draft, before = path, work_dir / "before"',
        "test_files.py::test_what_is_written_shows_when_it_is_whole_alone",
    ),
    Guard(
        "the check of an episode's id for separators",
        "episodes/labels.py",
        'if "/" in episode or "\\\\" in episode:',
        "if False:",
        "test_labels.py::test_an_id_that_is_no_plain_file_name_is_refused",
    ),
    Guard(
        "the roots of the service",
        "service/allowed_paths.py",
        "if not any(real.is_relative_to(root) for root in self._real):",
        "if False:",
        "test_service.py::test_nothing_outside_of_the_roots_is_answered",
    ),
    Guard(
        "the following of links below the roots",
        "service/allowed_paths.py",
        "real = Path(os.path.realpath(path))",
        "real = Path(os.path.abspath(path))",
        "test_service.py::test_nothing_outside_of_the_roots_is_answered",
    ),
    Guard(
        "the token of the service",
        "service/auth.py",
        'if hmac.compare_digest(given, f"Bearer {self._token}".encode()):',
        'if given.startswith(b"Bearer"):',
        "test_service.py::test_a_token_is_wanted_everywhere_but_for_health",
    ),
    Guard(
        "the Host header without a token",
        "service/auth.py",
        'if headers.get("host", "").partition(":")[0] in _LOCAL_NAMES:',
        "if True:",
        "test_service.py::test_without_a_token_other_names_than_this_machine_s_are_refused",
    ),
    Guard(
        "the hashes in a detector's folder",
        "detection/folder.py",
        "if (found := sha256_of_file(path)) != expected:",
        "if (found := sha256_of_file(path)) != found:",
        "torture/test_models.py::test_changed_bytes_of_a_detector",
    ),
    Guard(
        "the registered hash of a model",
        "library/models.py",
        "if sha256 and sha256 != model.identity:",
        "if False:",
        "torture/test_models.py::test_registered_models_of_another_hash",
    ),
    Guard(
        "the hash of a video between ingest and embed",
        "engines/base.py",
        "or sha256_of_file(job.path) != job.sha256:",
        "or False:",
        "test_bad_input.py::test_a_video_that_is_gone_or_changed_since_ingest_is_not_embedded",
    ),
    Guard(
        "the leaving out of credentials in addresses",
        "core/store_address.py",
        'user, at, rest = rest.rpartition("@")',
        'user, at, rest = "", "", rest',
        "test_tracking.py::test_a_uri_is_shown_without_its_secrets",
    ),
    Guard(
        "one line for each fault",
        "core/errors.py",
        "if text.isprintable():",
        "if True:",
        "test_stage.py::"
        "test_a_name_with_ends_of_lines_and_signs_for_the_terminal_is_told_in_one_line",
    ),
    Guard(
        "look-alikes in names of series",
        "episodes/spelling.py",
        "if word.isascii() or not",
        "if True or not",
        "torture/test_names.py::test_names_that_look_alike",
    ),
    Guard(
        "the workspace's lock of the stages",
        "core/stage.py",
        "with _only_one():\n",
        "with contextmanager(lambda: iter([None]))():\n",
        "test_stage.py::test_a_stage_waits_for_one_that_was_left_behind_even_if_that_is_stopped",
    ),
    Guard(
        "no output of a stage whose DVC is gone",
        "core/stage.py",
        "        if _dvc_is_gone():\n            raise InputError",
        "        if False:\n            raise InputError",
        "test_stage.py::test_a_stage_that_hears_of_nothing_writes_no_output_when_dvc_is_gone",
    ),
    Guard(
        "the hashes in the stages' output folders",
        "core/files.py",
        "if found != expected:",
        "if False:",
        "test_files.py::test_any_bit_that_flips_in_a_folder_is_noticed_and_the_remedy_told",
    ),
    Guard(
        "the hash of what is remembered",
        "core/files.py",
        "if left == 0 and file.read() == hashed.digest():",
        "if left == 0:",
        "test_files.py::test_what_is_damaged_is_not_remembered_and_told",
    ),
    Guard(
        "what stands in a sidecar's place and is no file",
        "library/sidecar_writer.py",
        "if os.path.lexists(place) and not place.is_file():",
        "if place.is_dir():",
        "test_sidecars.py::test_what_is_no_file_is_never_taken_for_nothing_nor_replaced",
    ),
    Guard(
        "what the process that decodes may send",
        "core/isolation.py",
        "raise pickle.UnpicklingError(f",
        "return super().find_class(module, name)\n        raise pickle.UnpicklingError(f",
        "test_isolation.py::test_what_a_child_that_was_taken_over_sends_is_refused_unread",
    ),
    Guard(
        "the longest video",
        "video/decoding.py",
        "if n_seconds > max_length_s:",
        "if False:",
        "test_isolated_decode.py::test_a_longer_video_than_allowed_is_set_aside_by_whoever_reads_it",
    ),
    Guard(
        "the last sound picture while frames are damaged",
        "video/decoding.py",
        "is_damaged = frame.is_corrupt or (is_damaged and not frame.key_frame)",
        "is_damaged = False",
        "test_video.py::test_while_frames_are_damaged_the_last_sound_one_stays",
    ),
    Guard(
        "a body that does not come",
        "service/request_body.py",
        "began + min(limit_s, _LEEWAY_S + n_bytes / _FEWEST_BYTES_PER_S)",
        "began + limit_s",
        "test_service.py::test_a_body_that_does_not_come_is_refused",
    ),
)


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_every_guard_stands_once_and_its_test_exists(guard: Guard) -> None:
    code = (ROOT / SOURCE / guard.file).read_text(encoding="utf-8")
    assert code.count(guard.stands) == 1
    assert exists(guard.test)


N_COPIES = 2  # each runs pytest by itself


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> list[Checkout]:
    """Return copies of the repository whose tests run their own code."""
    made = [
        copy_tracked(tmp_path_factory.mktemp("guards") / f"copy{number}")
        for number in range(N_COPIES)
    ]
    for copy in made:
        for words in (["init", "-q"], ["add", "-A"]):  # the tests ask Git what belongs to it
            copy.run("git", *words)
        copy.env["PYTHONPATH"] = str(copy.folder / "src")
        where = copy.run(sys.executable, "-c", "import skipintro; print(skipintro.__file__)")
        assert Path(where.strip()).is_relative_to(copy.folder), where
    return made


def pytest_in(copy: Checkout, *tests: str, fails: bool) -> str:
    words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", *(f"tests/{test}" for test in tests)]
    return copy.run(sys.executable, *words, fails=fails, PYTEST_ADDOPTS="")


@pytest.mark.slow
@pytest.mark.promise("Each guard counts: with it broken on purpose, a named test goes red.")
@pytest.mark.only_from(
    "full",
    "a run of pytest for each guard",
    held_by="torture/test_guards.py::test_every_guard_stands_once_and_its_test_exists",
)
def test_guards_that_are_broken_on_purpose(attack: Attack, copies: list[Checkout]) -> None:
    with attack.case("all guards stand"):
        pytest_in(copies[0], *sorted({guard.test for guard in GUARDS}), fails=False)
    free: SimpleQueue[Checkout] = SimpleQueue()
    for copy in copies:
        free.put(copy)

    def told_without(guard: Guard) -> str:
        copy = free.get()
        try:
            with guard.lowered(copy.folder):
                return pytest_in(copy, guard.test, fails=True)
        finally:
            free.put(copy)

    with ThreadPoolExecutor(N_COPIES) as pool:
        runs = [(guard, pool.submit(told_without, guard)) for guard in GUARDS]
        for guard, run in runs:
            with attack.case(guard.name):
                told = run.result()
                assert f"FAILED tests/{guard.test}" in told, told[-1000:]
