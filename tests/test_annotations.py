import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skipintro.core.errors import InputError
from skipintro.episodes.annotations import (
    Annotation,
    Annotations,
    CorrectionRule,
    Override,
    Status,
    annotate,
    check_within,
    correct,
    read_overrides,
    series_of,
    unify_series,
    without_siblings,
)
from skipintro.episodes.labels import Label

RULE = CorrectionRule(inversion_shift_s=60, min_length_s=1, max_length_s=120)
OVERRIDE = Override(start_s=3, end_s=9, reason="checked by eye")


def label(start: float | None, end: float | None, **fields: Any) -> Label:
    return Label(start_s=start, end_s=end, **fields)


def annotation(start: float | None, end: float | None) -> Annotation:
    return annotate("test", "show-s01e01", label(start, end), RULE)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (5, 12, (5, 12, Status.AS_LABELLED)),
        (0, 1, (0, 1, Status.AS_LABELLED)),  # the shortest
        (0, 120, (0, 120, Status.AS_LABELLED)),  # the longest
        (1.3, 2.3, (1.3, 2.3, Status.AS_LABELLED)),  # 2.3 - 1.3 is less than 1 in binary
        (65, 11, (5, 11, Status.SHIFTED)),
        (60, 11, (0, 11, Status.SHIFTED)),
        (70, 11, (10, 11, Status.SHIFTED)),
        (65.5, 11, (5.5, 11, Status.SHIFTED)),
        (130, 129, (70, 129, Status.SHIFTED)),
        (None, None, (None, None, Status.NO_INTRO)),
        (460, 11, (None, None, Status.UNUSABLE)),  # 7:40 to 0:11, as in the public labels
        (71, 11, (None, None, Status.UNUSABLE)),  # shifted, start and end are equal
        (72, 11, (None, None, Status.UNUSABLE)),
        (59, 11, (None, None, Status.UNUSABLE)),  # shifted, it starts before the episode
        (70.5, 11, (None, None, Status.UNUSABLE)),  # shifted, it is half a second long
        (7, 7, (None, None, Status.UNUSABLE)),
        (0, 0, (None, None, Status.UNUSABLE)),
        (5, 5.9, (None, None, Status.UNUSABLE)),
        (0, 120.1, (None, None, Status.UNUSABLE)),
    ],
)
def test_a_start_after_the_end_is_shifted_once_or_the_label_is_unusable(
    start: float | None, end: float | None, expected: tuple[float | None, float | None, Status]
) -> None:
    assert correct(label(start, end), RULE)[:3] == expected


@pytest.mark.parametrize(
    ("start", "end", "reason"),
    [
        (5, 12, "start lies before end"),
        (65, 11, "start 65 s lies after end 11 s; 60 s taken from start"),
        (460, 11, "start 460 s lies after end 11 s, and shifting it does not repair that"),
        (71, 11, "start 71 s lies after end 11 s, and shifting it does not repair that"),
        (7, 7, "a length of 0 s lies outside 1 to 120 s"),
        (0, 300, "a length of 300 s lies outside 1 to 120 s"),
        (None, None, "start and end are null"),
    ],
)
def test_the_reason_says_what_was_done(start: float | None, end: float | None, reason: str) -> None:
    assert correct(label(start, end), RULE)[3] == reason


def test_the_rule_s_shift_and_lengths_are_params() -> None:
    rule = CorrectionRule(inversion_shift_s=30, min_length_s=4, max_length_s=6)
    assert correct(label(35, 10), rule)[:3] == (5, 10, Status.SHIFTED)
    assert correct(label(65, 10), rule)[2] is Status.UNUSABLE
    assert correct(label(5, 9), rule)[2] is Status.AS_LABELLED
    assert correct(label(5, 8), rule)[2] is Status.UNUSABLE
    assert correct(label(5, 12), rule)[2] is Status.UNUSABLE


@given(st.integers(0, 600), st.integers(0, 600))
def test_a_corrected_label_is_an_interval_of_a_believable_length_or_nothing(
    start: int, end: int
) -> None:
    start_s, end_s, status, reason = correct(label(start, end), RULE)
    assert reason
    if status is Status.UNUSABLE:
        assert start_s is None
        assert end_s is None
    else:
        assert start_s in {start, start - 60}
        assert end_s == end
        assert start_s is not None
        assert 0 <= start_s < end
        assert 1 <= end - start_s <= 120
        assert (status is Status.SHIFTED) == (start > end)


@pytest.mark.parametrize("times", [(5, 12), (65, 11), (460, 11), (None, None), (7, 7)])
def test_an_override_wins_whatever_the_label_says(times: tuple[float | None, float | None]) -> None:
    assert correct(label(*times), RULE, OVERRIDE) == (3, 9, Status.OVERRIDDEN, "checked by eye")


def test_an_override_may_say_that_there_is_no_intro() -> None:
    nothing = Override(start_s=None, end_s=None, reason="a trailer")
    found = annotate("test", "a", label(5, 12), RULE, nothing)
    assert (found.start_s, found.end_s, found.status) == (None, None, Status.OVERRIDDEN)
    assert found.usable
    assert not found.intro_frames(100)


def test_the_raw_label_stays_beside_the_corrected_one() -> None:
    shifted, lost = annotation(65, 11), annotation(460, 11)
    assert (shifted.raw_start_s, shifted.raw_end_s) == (65, 11)
    assert (shifted.start_s, shifted.end_s) == (5, 11)
    assert (lost.raw_start_s, lost.raw_end_s) == (460, 11)
    assert (lost.start_s, lost.end_s) == (None, None)


def test_all_but_unusable_labels_tell_the_truth_of_an_episode() -> None:
    assert annotation(5, 12).usable
    assert annotation(65, 11).usable
    assert annotation(None, None).usable
    assert not annotation(460, 11).usable


def test_a_series_is_named_by_its_label_else_by_the_episode_s_name_else_by_the_id() -> None:
    both = label(1, 5, name="Show. Season 1, episode 2", series="The Show")
    named = label(1, 5, name="Show. Season 1, episode 2")
    found = [annotate("test", "id", one, RULE).series for one in (both, named, label(1, 5))]
    assert found == ["The Show", "Show", "id"]


@pytest.mark.parametrize(
    ("name", "series"),
    [
        ("Show. Season 1, episode 2", "Show"),
        ("Другой сериал 🎬. Сезон 1", "Другой сериал 🎬"),
        ("Mr.Show", "Mr.Show"),
        ("Show", "Show"),
        ("A. B. C", "A"),
        ("", ""),
    ],
)
def test_a_series_name_ends_at_the_first_full_stop_with_a_space(name: str, series: str) -> None:
    assert series_of(name) == series


def of_series(**series: str) -> list[Annotation]:
    return [annotate("train", id_, label(1, 5, series=name), RULE) for id_, name in series.items()]


@pytest.mark.parametrize(
    "other",
    [
        "Другoй cериал",  # a Latin o and a Latin c
        "\u200fДругой\ufeff сериал",  # signs that are not drawn
        "Друго\u0438\u0306 сериал",  # composed otherwise
        "ДРУГОЙ  СЕРИАЛ",
        "Другой_сериал",
    ],
)
def test_a_series_that_is_only_spelt_otherwise_has_the_name_of_the_first(other: str) -> None:
    found = unify_series(of_series(a="Другой сериал", b=other, c="Третий сериал"))
    assert [each.series for each in found] == ["Другой сериал", "Другой сериал", "Третий сериал"]


def test_series_whose_names_have_no_letters_stay_apart() -> None:
    found = unify_series(of_series(a="-", b="—", c="-"))
    assert [each.series for each in found] == ["-", "—", "-"]


def test_an_episode_is_without_siblings_where_no_other_id_has_its_series() -> None:
    train = of_series(a="Show", b="Alone", c="Leaked", d="Show")
    test = [annotate("test", "c", label(1, 5, series="Leaked"), RULE)]
    assert without_siblings([*train, *test]) == ["b", "c"]


@pytest.mark.parametrize(
    ("start", "end", "n_seconds", "frames"),
    [
        (5, 12, 100, range(5, 12)),
        (0, 1, 100, range(1)),
        (5.5, 12.5, 100, range(6, 13)),  # frame 5 is before the start, frame 12 before the end
        (5.0, 12.001, 100, range(5, 13)),
        (5, 12, 12, range(5, 12)),
        (5, 12, 10, range(5, 10)),
        (None, None, 100, range(0)),
    ],
)
def test_intro_frames_are_those_from_start_on_and_before_end(
    start: float | None, end: float | None, n_seconds: int, frames: range
) -> None:
    assert annotation(start, end).intro_frames(n_seconds) == frames


@given(st.integers(0, 300_000), st.integers(1000, 120_000), st.integers(1, 400))
def test_intro_frames_agree_with_the_definition_second_by_second(
    start_ms: int, length_ms: int, n_seconds: int
) -> None:
    found = annotation(start_ms / 1000, (start_ms + length_ms) / 1000)
    expected = [k for k in range(n_seconds) if start_ms <= 1000 * k < start_ms + length_ms]
    assert list(found.intro_frames(n_seconds)) == expected


def test_a_split_s_annotations_keep_their_order() -> None:
    rows = [("train", "b"), ("test", "z"), ("train", "a"), ("test", "y")]
    made = Annotations(
        episodes=[annotate(split, id_, label(1, 5), RULE) for split, id_ in rows], leaked=[]
    )
    assert [e.id for e in made.of_split("train")] == ["b", "a"]
    assert [e.id for e in made.of_split("test")] == ["z", "y"]
    assert made.of_split("other") == []


def is_within(made: Annotation, n_seconds: int) -> bool:
    try:
        check_within("labels.json", made, n_seconds)
    except InputError:
        return False
    return True


@pytest.mark.parametrize("end", [11.2, 12])
def test_a_label_may_end_with_its_episode_and_not_after_it(end: float) -> None:
    made = annotation(5, end)
    assert [n for n in range(20) if not is_within(made, n)] == list(range(12))


def test_an_episode_without_an_intro_may_have_any_length() -> None:
    assert all(is_within(annotation(None, None), n_seconds) for n_seconds in range(20))


@pytest.mark.parametrize(
    ("end", "clock"),
    [(95, "0:01:35"), (95.5, "0:01:35.5"), (119.9996, "0:02:00"), (60 + 3600, "1:01:00")],
)
def test_a_label_that_ends_after_its_episode_is_refused(end: float, clock: str) -> None:
    late = annotation(5, 12).model_copy(update={"end_s": end})
    with pytest.raises(InputError) as refusal:
        check_within("labels.json", late, 90)
    assert str(refusal.value) == (
        f"labels.json: show-s01e01: end {clock} lies after the episode's end (90 s); "
        "correct the label, override it or drop the episode"
    )


def test_half_a_second_beyond_the_last_picture_is_beyond_the_episode() -> None:
    with pytest.raises(InputError):
        check_within("labels.json", annotation(5, 12.5), 12)


def test_further_intervals_follow_the_rule_and_leave_no_trace_where_there_is_none() -> None:
    double = annotate("test", "show-s01e01", label(5, 12, further=((70, 77),)), RULE)
    assert [*double.intervals] == [(5, 12), (70, 77)]
    assert is_within(double, 77)
    assert not is_within(double, 76)
    long = annotate("test", "show-s01e01", label(5, 12, further=((70, 270),)), RULE)
    assert (long.intervals, long.reason) == ((), "a length of 200 s lies outside 1 to 120 s")
    plain = annotate("test", "show-s01e01", label(5, 12, further=((70, 77),)), RULE, OVERRIDE)
    assert [*plain.intervals] == [(3, 9)]
    assert "further" not in plain.model_dump()
    assert not annotation(None, None).intervals


def test_an_override_may_tell_several_intervals(overrides: Path) -> None:
    overrides.write_text('{"a": {"intervals": [[3, 9], ["1:10", 77]], "reason": "double"}}')
    told = read_overrides(overrides)["a"]
    assert told == Override(start_s=3, end_s=9, reason="double", further=((70, 77),))
    assert annotate("test", "a", label(5, 12), RULE, told).intervals == ((3, 9), (70, 77))


@pytest.fixture
def overrides(tmp_path: Path) -> Path:
    return tmp_path / "overrides.json"


def test_overrides_are_read_with_their_times_and_reasons(overrides: Path) -> None:
    rows = {
        "сериал 🎬": {"start": "0:00:03", "end": "0:09", "reason": "late"},
        "b": {"start": None, "end": None, "reason": "no intro"},
        "c": {"start": 0, "end": 1.5, "reason": "short"},
    }
    overrides.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8-sig")
    assert read_overrides(overrides) == {
        "сериал 🎬": Override(start_s=3, end_s=9, reason="late"),
        "b": Override(start_s=None, end_s=None, reason="no intro"),
        "c": Override(start_s=0, end_s=1.5, reason="short"),
    }


def test_an_empty_object_holds_no_overrides(overrides: Path) -> None:
    overrides.write_text("{}")
    assert read_overrides(overrides) == {}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{", "not valid JSON"),
        ("[]", "expected an object {id: …}, got list"),
        ('{"a": 1}', "a: expected exactly start, end and reason"),
        ('{"a": {"start": 1, "end": 2}}', "a: expected exactly start, end and reason"),
        (
            '{"a": {"start": 1, "end": 2, "reason": "x", "by": "me"}}',
            "a: expected exactly start, end and reason",
        ),
        ('{"a": {"start": 2, "end": 2, "reason": "x"}}', "a: start does not lie before end"),
        ('{"a": {"start": 3, "end": 2, "reason": "x"}}', "a: start does not lie before end"),
        ('{"a": {"start": null, "end": 2, "reason": "x"}}', "a: only one of start and end is null"),
        ('{"a": {"start": 3, "end": null, "reason": "x"}}', "a: only one of start and end is null"),
        ('{"a": {"start": -1, "end": 2, "reason": "x"}}', "a: start: the time -1 is negative"),
        ('{"a": {"start": 1, "end": "late", "reason": "x"}}', "a: end: 'late' is no time"),
        ('{"a": {"start": 1, "end": 2, "reason": "  "}}', "a: reason: say why"),
        ('{"a": {"start": 1, "end": 2, "reason": null}}', "a: reason: say why"),
        ('{"../a": {"start": 1, "end": 2, "reason": "x"}}', "'../a' holds a path separator"),
        (
            '{"a": {"start": 1, "end": 2, "reason": "x"}, "a": {}}',
            "the key 'a' occurs twice",
        ),
    ],
)
def test_a_faulty_override_is_refused_by_its_file_and_its_fault(
    overrides: Path, text: str, fault: str
) -> None:
    overrides.write_text(text)
    with pytest.raises(InputError, match=re.escape(fault)) as refusal:
        read_overrides(overrides)
    assert str(refusal.value).startswith(f"{overrides}: ")


def test_a_missing_overrides_file_is_told_with_what_to_write(overrides: Path) -> None:
    with pytest.raises(InputError, match=r"overrides\.json: missing; write \{\} into it"):
        read_overrides(overrides)
