"""Valid labels, overrides and params, to be damaged, and what holds of all that is read."""

import math
from collections.abc import Mapping

from skipintro.episodes.annotations import Override
from skipintro.episodes.labels import Label

LABELS = {
    "toy-s01e01": {"name": "Toy. 1", "start": "0:00:05", "end": "0:00:12", "series": "Toy"},
    "ы s01e02": {"name": "Ы. 2", "start": 70, "end": 12.5, "url": "https://example.org/a"},
    "toy-s01e03": {"start": None, "end": None},
}
OVERRIDES = {"toy-s01e01": {"start": "0:05", "end": 12.5, "reason": "names the recap"}}
PARAMS = b"""epochs: 20  # passes

annotate:
  overrides: data/overrides.json
  inversion_shift_s: 60.0
  min_length_s: 1.0
  max_length_s: 240
window:
  length: 60
  stride: 5
  train_frames: balanced
promote:
  numbers:
  - 1
  - - .5
    - '7'
"""


def check_times(found: Mapping[str, Label] | Mapping[str, Override]) -> None:
    for id_, entry in found.items():
        assert len(id_.encode()) <= 200
        for time in (entry.start_s, entry.end_s):
            assert time is None or (0 <= time < 1e7 and math.copysign(1, time) == 1)
        assert (entry.start_s is None) == (entry.end_s is None)
        entry.model_dump_json()  # can be written
