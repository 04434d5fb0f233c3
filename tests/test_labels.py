import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skipintro.core.errors import InputError
from skipintro.episodes.labels import parse_time, read_labels


@pytest.fixture
def label_file(tmp_path: Path) -> Path:
    return tmp_path / "labels.json"


def label(start: Any = "0:00:05", end: Any = "0:00:12", **fields: Any) -> dict[str, Any]:
    return {"name": "Show. Season 1, episode 1", "start": start, "end": end, **fields}


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("0:00:00", 0.0),
        ("0:07:40", 460.0),
        ("1:02:03", 3723.0),
        ("01:02:03.25", 3723.25),
        ("100:00:00", 360_000.0),
        ("7:40", 460.0),
        ("90:00", 5400.0),  # minutes alone may go beyond the hour
        ("0:05", 5.0),
        ("0:5", 5.0),
        ("0:05.5", 5.5),
        ("  0:05\n", 5.0),
        ("75", 75.0),
        ("75.125", 75.125),
        (75, 75.0),
        (75.5, 75.5),
        (0, 0.0),
        (-0.0, 0.0),
        (1e3, 1000.0),
        (None, None),
    ],
)
def test_a_time_may_be_a_clock_or_a_number_of_seconds(written: Any, seconds: float | None) -> None:
    assert parse_time("here", written) == seconds


@pytest.mark.parametrize(
    "written",
    [
        "",
        "five",
        "0:60",
        "1:60:00",
        "1:2:3:4",
        "1:00:60",
        "0:05:",
        ":05",
        "0 :05",
        "0:05 pm",
        "1e3",
        "0x10",
        "٠:٠٥",
        "+5",
        "NaN",
        True,
        False,
        [5],
        {"s": 5},
        float("nan"),
        float("inf"),
        1e7,
        10**400,
    ],
)
def test_what_is_no_time_is_refused_with_the_formats_that_are(written: Any) -> None:
    with pytest.raises(InputError, match=r"here: .* is no time; write H:MM:SS, MM:SS or a number"):
        parse_time("here", written)


def test_zero_has_no_sign() -> None:
    assert str(parse_time("here", -0.0)) == "0.0"


@pytest.mark.parametrize("written", [-1, -0.5, "-1", "-0:05", " -0:00:05"])
def test_a_negative_time_is_called_negative(written: Any) -> None:
    with pytest.raises(InputError, match=r"here: the time .* is negative; times count from 0:00"):
        parse_time("here", written)


@given(st.integers(0, 999 * 3600), st.integers(0, 999))
def test_a_time_is_read_as_it_was_written(whole: int, thousandths: int) -> None:
    minutes, seconds = divmod(whole, 60)
    clock = f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}.{thousandths:03d}"
    assert parse_time("here", clock) == pytest.approx(whole + thousandths / 1000, abs=1e-6)


@given(st.text(max_size=12) | st.from_regex(r"[0-9:. -]{1,10}", fullmatch=True))
def test_any_text_is_a_time_from_zero_on_or_an_input_error(text: str) -> None:
    try:
        seconds = parse_time("here", text)
    except InputError:
        return
    assert seconds is not None
    assert 0 <= seconds < 1e7


def test_labels_keep_the_order_of_the_file(label_file: Path) -> None:
    label_file.write_text(json.dumps({id_: label() for id_ in ("c", "a", "b", "10", "9")}))
    assert list(read_labels(label_file)) == ["c", "a", "b", "10", "9"]


def test_a_label_is_read_with_all_its_fields(label_file: Path) -> None:
    rows = {"a": label("0:00:05", 12.5, url="https://example.org/a", series="Show", note="kept")}
    label_file.write_text(json.dumps(rows))
    found = read_labels(label_file)["a"]
    assert (found.start_s, found.end_s) == (5.0, 12.5)
    assert found.name == "Show. Season 1, episode 1"
    assert (found.url, found.series) == ("https://example.org/a", "Show")


def test_name_series_and_url_may_be_absent_or_null(label_file: Path) -> None:
    label_file.write_text('{"a": {"start": 1, "end": 2, "name": null, "series": null}}')
    found = read_labels(label_file)["a"]
    assert (found.name, found.series, found.url) == ("", None, None)


def test_tags_are_kept_once_each_in_their_order(label_file: Path) -> None:
    label_file.write_text(json.dumps({"a": label(tags=["pal", " dub ", "pal"])}))
    assert read_labels(label_file)["a"].tags == ("pal", "dub")


@pytest.mark.parametrize("tags", ["pal", [1], [""], {"pal": 1}])
def test_tags_that_are_no_list_of_words_are_refused(label_file: Path, tags: Any) -> None:
    label_file.write_text(json.dumps({"a": label(tags=tags)}))
    with pytest.raises(InputError, match=r"a: tags: expected a list of words, got .*; correct it"):
        read_labels(label_file)


def test_both_times_null_say_that_there_is_no_intro(label_file: Path) -> None:
    label_file.write_text(json.dumps({"a": label(None, None)}))
    found = read_labels(label_file)["a"]
    assert (found.start_s, found.end_s) == (None, None)


def test_start_after_end_is_read_as_it_stands(label_file: Path) -> None:
    label_file.write_text(json.dumps({"a": label("0:07:40", "0:00:11")}))
    found = read_labels(label_file)["a"]
    assert (found.start_s, found.end_s) == (460.0, 11.0)


def test_a_file_of_two_episodes_has_intervals_and_the_first_is_the_plain_one(
    label_file: Path,
) -> None:
    intervals = [["0:00:05", "0:00:12"], [700, "11:47.5"], [900, 910]]
    rows = {"a": {"intervals": intervals}, "b": label(5, "0:12", intervals=intervals), "c": label()}
    label_file.write_text(json.dumps(rows))
    found = read_labels(label_file)
    for each in (found["a"], found["b"]):
        assert (each.start_s, each.end_s) == (5, 12)
        assert each.further == ((700, 707.5), (900, 910))
    assert found["c"].further == ()


@pytest.mark.parametrize(
    ("intervals", "fault"),
    [
        ([], "expected a list of [start, end], got []; correct it, or give start and end alone"),
        (None, "expected a list of [start, end], got None"),
        ("0:05", "expected a list of [start, end], got '0:05'"),
        ([[1, 2], [3]], "2: expected [start, end], got [3]"),
        ([[1, 2], "34"], "2: expected [start, end], got '34'"),
        ([[1, 2], [3, None]], "2: start does not lie before end; correct it"),
        ([[2, 2]], "1: start does not lie before end; correct it"),
        ([[1, 2], ["soon", 3]], "2: 'soon' is no time; write H:MM:SS"),
        ([[5, 9], [1, 2]], "2: begins before the one before it ends; put them in the order"),
        ([[1, 5], [4, 9]], "2: begins before the one before it ends; put them in the order"),
    ],
)
def test_faulty_intervals_are_refused_by_file_episode_and_fault(
    label_file: Path, intervals: Any, fault: str
) -> None:
    label_file.write_text(json.dumps({"a": {"intervals": intervals}}))
    with pytest.raises(InputError) as refusal:
        read_labels(label_file)
    assert str(refusal.value).startswith(f"{label_file}: a: intervals: {fault}")


def test_start_and_end_beside_intervals_are_those_of_the_first(label_file: Path) -> None:
    label_file.write_text(json.dumps({"a": label(5, 13, intervals=[[5, 12], [70, 77]])}))
    with pytest.raises(InputError, match=r"a: end is not that of the first of intervals; remove"):
        read_labels(label_file)


def test_an_empty_object_holds_no_labels(label_file: Path) -> None:
    label_file.write_text("{}")
    assert read_labels(label_file) == {}


def test_a_byte_order_mark_is_no_part_of_the_json(label_file: Path) -> None:
    label_file.write_bytes(b"\xef\xbb\xbf" + json.dumps({"a": label()}).encode())
    assert list(read_labels(label_file)) == ["a"]


def test_names_and_ids_in_any_alphabet_are_kept_as_they_stand(label_file: Path) -> None:
    ids = [
        "другой «сериал» 🎬 s01e01",
        'it\'s "quoted" s01e02',
        "キノの旅",
        "étude 2",
    ]
    rows = {id_: label() | {"name": f"{id_}. 1"} for id_ in ids}
    label_file.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    found = read_labels(label_file)
    assert list(found) == ids
    assert [entry.name for entry in found.values()] == [f"{id_}. 1" for id_ in ids]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "not valid JSON"),
        ('{"a": ', "not valid JSON"),
        ('{"a": {"start": 1, "end": 2},}', "not valid JSON"),
        ('{"a": {"start": 1, "end": ' + "9" * 5000 + "}}", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("[]", "expected an object {id: …}, got list"),
        ("null", "expected an object {id: …}, got NoneType"),
        ('"a"', "expected an object {id: …}, got str"),
        ('{"a": []}', "a: expected an object, got list"),
        ('{"a": null}', "a: expected an object, got NoneType"),
        ('{"a": {"end": 2}}', "a: 'start' is missing"),
        ('{"a": {"start": 1}}', "a: 'end' is missing"),
        ('{"a": {"start": 1, "end": null}}', "a: only one of start and end is null"),
        ('{"a": {"start": null, "end": 1}}', "a: only one of start and end is null"),
        ('{"a": {"start": "soon", "end": 1}}', "a: start: 'soon' is no time"),
        ('{"a": {"start": 1, "end": NaN}}', "a: end: 'nan' is no time"),
        ('{"a": {"start": -1, "end": 1}}', "a: start: the time -1 is negative"),
        ('{"a": {"start": 1, "end": 2, "name": 7}}', "a: name: expected text, got int"),
        ('{"a": {"start": 1, "end": 2, "series": []}}', "a: series: expected text, got list"),
        ('{"a": {"start": 1, "end": 2, "name": "\\ud800"}}', "'name': '\\ud800' holds half a"),
        ('{"a": {"start": 1, "end": 2}, "a": {"start": 1, "end": 2}}', "the key 'a' occurs twice"),
        ('{"a": {"start": 1, "start": 1, "end": 2}}', "the key 'start' occurs twice"),
        ('{"a": {"start": 1, "end": 2, "x": {"y": 1, "y": 1}}}', "the key 'y' occurs twice"),
    ],
)
def test_a_faulty_label_file_is_refused_by_its_name_and_its_fault(
    label_file: Path, text: str, fault: str
) -> None:
    label_file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(fault)) as refusal:
        read_labels(label_file)
    assert str(refusal.value).startswith(f"{label_file}: ")


def test_text_in_another_encoding_is_refused_with_the_right_one(label_file: Path) -> None:
    label_file.write_bytes(json.dumps({"сериал": label()}, ensure_ascii=False).encode("cp1251"))
    with pytest.raises(InputError, match=r"not UTF-8 text .*; save it as UTF-8"):
        read_labels(label_file)


def test_a_missing_label_file_is_named(label_file: Path) -> None:
    with pytest.raises(InputError, match=r"labels\.json: missing; correct the path"):
        read_labels(label_file)


def test_an_id_is_the_same_however_its_letters_are_composed(tmp_path: Path) -> None:
    file, none = tmp_path / "labels.json", {"start": None, "end": None}
    file.write_text(json.dumps({"cafe\u0301": none}), encoding="utf-8")
    assert list(read_labels(file)) == ["caf\u00e9"]
    file.write_text(json.dumps({"cafe\u0301": none, "caf\u00e9": none}), encoding="utf-8")
    with pytest.raises(InputError, match="composed in two ways; remove one"):
        read_labels(file)


@pytest.mark.parametrize(
    "id_",
    [
        *("a/b", "/etc/passwd", "../x", "a\\b", "..\\x", "..", ".", "", "  ", "a..b", "a .. b"),
        *("a\nb", "a\0b", "a\x1b[31m", "a\x7f", "a\x85b", "\ud800", "x" * 201, "ы" * 101),
        *("a\u2028b", "a\u2029b"),  # ends of lines
        *("labels.json", "Labels.JSON"),  # stands in the same folder
    ],
)
def test_an_id_that_is_no_plain_file_name_is_refused(label_file: Path, id_: str) -> None:
    label_file.write_text(json.dumps({"good": label(), id_: label()}))
    with pytest.raises(InputError, match="rename it") as refusal:
        read_labels(label_file)
    assert str(refusal.value).startswith(f"{label_file}: ")
    assert str(refusal.value).isprintable(), "the error is one line, whatever the id holds"


@pytest.mark.parametrize(
    "id_", ["-220020068_456249050", "a.b", ".a", "a.", "a: b", "don't", "x" * 200, "ы" * 100, "🎬"]
)
def test_an_id_that_can_be_a_file_name_is_taken(label_file: Path, id_: str) -> None:
    label_file.write_text(json.dumps({id_: label()}))
    assert list(read_labels(label_file)) == [id_]
    label_file.with_name(f"{id_}.mp4").touch()


def test_a_file_larger_than_any_label_file_is_not_read(label_file: Path) -> None:
    with label_file.open("wb") as file:
        file.truncate(100 << 20)  # takes no room on the disk
    with pytest.raises(InputError, match=r"labels\.json: larger than 16 MB"):
        read_labels(label_file)


@pytest.mark.parametrize("field", ["-" + "5" * 100_000, "s" * 100_000])
def test_a_message_is_one_line_of_bounded_length_whatever_the_file_holds(
    label_file: Path, field: str
) -> None:
    for content in (
        {"a": label(field)},
        {"a": label(1, 2, **{field: "\ud800"})},
        {field: label()},
    ):
        label_file.write_text(json.dumps(content))
        with pytest.raises(InputError) as refusal:
            read_labels(label_file)
        assert str(refusal.value).startswith(f"{label_file}: ")
        assert len(str(refusal.value)) <= 2000
