"""Plans a small library of invented series, with the faults of real label files.

A plan is drawn from the seed alone; each shot has generators of its own, so that episodes can
be rendered in any order. Times are exact fractions. Nothing here reads or writes files.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise

import numpy as np
from pydantic import Field, PositiveInt, field_validator, model_validator

from skipintro.core.errors import InputError
from skipintro.core.params import StageParams
from skipintro.demo import openings, scenes

SPLITS = TRAIN, TEST = "train", "test"


@dataclass(frozen=True)
class Show:
    """An invented series: its name, the name in its ids, its lettering and its unusual ids."""

    name: str
    slug: str
    title: str
    odd_ids: tuple[tuple[int, str], ...] = ()  # (number of the episode, id)


# Most ids are plain; some hold what real folder names hold.
SHOWS = (
    Show("Hollow Creek", "hollow-creek", "Hollow Creek"),
    Show("Harbour Nine", "harbour-nine", "Harbour Nine", ((2, "Harbour Nine s01e02"),)),
    Show("Don't Wake the Tide", "dont-wake-the-tide", "Don't Wake the Tide",
         ((1, "don't wake the tide s01e01"),)),
    Show("The Glass Meridian", "glass-meridian", "The Glass Meridian"),
    Show("Северный ветер", "severny-veter", "Severny Veter",
         ((1, "северный-ветер-s01e01"), (3, "Северный ветер s01e03"))),
    Show("Paper Lanterns", "paper-lanterns", "Paper Lanterns"),
    Show("Moon Hotel 🌙", "moon-hotel", "Moon Hotel", ((2, "moon-hotel-🌙-s01e02"),)),
    Show("Iron Orchard", "iron-orchard", "Iron Orchard"),
    Show("Salt and Signal", "salt-and-signal", "Salt and Signal"),
    Show("The Ninth Bell", "ninth-bell", "The Ninth Bell"),
)  # fmt: skip
# First number of each generator's entropy, after the seed: what it draws.
_SERIES, _SHOW, _EPISODE, _FILM, _RETURNING, _OPENING, _NAMES, _CLOSING, _FAULTS = range(9)
_SOUND, _TITLE_MUSIC, _CLOSING_MUSIC, _SCENE_MUSIC, _HEARD = range(9, 14)
_N_MOODS = 5  # of a series, among all of scenes.MOODS
_EXCERPT_S = 2  # of the episode before, in a recap

Range = tuple[PositiveInt, PositiveInt]  # both ends included


class EpisodeForm(StageParams):
    """How long the parts of an episode are, in seconds, and how often they occur.

    Lengths are drawn in steps of `1 / steps_a_s` s.
    """

    steps_a_s: PositiveInt
    length_s: Range
    opening_s: Range
    cold_open_s: Range
    cold_open_share: float = Field(ge=0, le=1)
    recap_s: PositiveInt
    recap_share: float = Field(ge=0, le=1)
    shot_s: Range
    establishing_s: PositiveInt
    closing_s: Range
    lettering_share: float = Field(ge=0, le=1)

    @field_validator("steps_a_s")
    @classmethod
    def _written_in_full(cls, value: int) -> int:
        if 1000 % value:
            raise ValueError("a step must be a whole number of milliseconds, as labels have it")
        return value

    @field_validator("length_s", "opening_s", "cold_open_s", "shot_s", "closing_s")
    @classmethod
    def _ordered(cls, value: tuple[int, int]) -> tuple[int, int]:
        if value[0] > value[1]:
            raise ValueError("the shortest comes first, the longest second")
        return value

    @model_validator(mode="after")
    def _cuts_fit(self) -> "EpisodeForm":
        if self.shot_s[1] < 2 * self.shot_s[0]:
            raise ValueError("shot_s: the longest must be twice the shortest, or more")
        return self

    @model_validator(mode="after")
    def _film_remains(self) -> "EpisodeForm":
        rest = self.recap_s + 1 + self.cold_open_s[1] + self.opening_s[1] + self.closing_s[1]
        if self.length_s[0] < rest + self.establishing_s + self.shot_s[0]:
            raise ValueError("length_s: the shortest episode has no room for all other parts")
        return self


class PictureForm(StageParams):
    """Sizes (width, height) in pixels, frame rates a second, and the encoder's settings."""

    sizes: tuple[tuple[PositiveInt, PositiveInt], ...] = Field(min_length=1)
    rates: tuple[str, ...] = Field(min_length=1)
    crf: int = Field(ge=0, le=51)
    keyframe_interval: PositiveInt

    @field_validator("sizes")
    @classmethod
    def _even(cls, value: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
        if any(side % 2 for size in value for side in size):
            raise ValueError("H.264 with 4:2:0 colour needs even widths and heights")
        return value

    @field_validator("rates")
    @classmethod
    def _positive(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for rate in value:
            try:
                usable = Fraction(rate) >= 1
            except ZeroDivisionError as error:
                raise ValueError(f"{rate!r} is no frame rate") from error
            if not usable:
                raise ValueError(f"{rate!r}: at least one frame a second is needed")
        return value


class Levels(StageParams):
    """How loud each kind of sound is, as its root mean square in dB of full scale."""

    music: float = Field(le=0)
    voices: float = Field(le=0)
    surroundings: float = Field(le=0)
    scene_music: float = Field(le=0)


class SoundForm(StageParams):
    """The encoder's settings, what is heard how often, and how loud."""

    rate_hz: int = Field(ge=8000, le=48000)
    bit_rate: PositiveInt
    fade_s: float = Field(ge=0)
    voices_share: float = Field(ge=0, le=1)
    scene_music_share: float = Field(ge=0, le=1)
    closing_with_title_share: float = Field(ge=0, le=1)
    n_silent_openings: int = Field(ge=0)
    n_without_sound: int = Field(ge=0)
    level_db: Levels


class LibraryForm(StageParams):
    """How many series and episodes there are; the last series are in test alone."""

    n_shows: int = Field(ge=1, le=len(SHOWS))
    n_unseen_shows: int = Field(ge=0)
    episodes_per_show: tuple[PositiveInt, ...] = Field(min_length=1)


class FaultForm(StageParams):
    """What is wrong with the labels and files, as in real label files."""

    late_share: float = Field(ge=0, le=1)
    late_by_s: PositiveInt
    beyond_repair_by_s: PositiveInt
    n_without_intro_per_split: int = Field(ge=0)
    n_leaked: int = Field(ge=0)
    damaged_kept_share: float = Field(gt=0, lt=1)


class ShotKind(StrEnum):
    """What a stretch of an episode shows."""

    RECAP = "recap"
    FILM = "film"
    ESTABLISHING = "establishing"
    OPENING = "opening"
    CLOSING = "closing"


Entropy = tuple[int, ...]  # seeds a generator


@dataclass(frozen=True)
class Heard:
    """What is heard along a scene: each part's entropy, None where it lacks.

    A recap has but the beginning of the `length_s` that the scene had.
    """

    length_s: Fraction
    music: Entropy | None = None  # title or closing music, alone
    voices: Entropy | None = None
    surroundings: Entropy | None = None
    scene_music: Entropy | None = None  # behind the voices


@dataclass(frozen=True)
class Shot:
    """What is on screen and heard in `[start_s, end_s)`; `entropy` seeds its drawing."""

    kind: ShotKind
    start_s: Fraction
    end_s: Fraction
    entropy: Entropy
    heard: Heard


class Fault(StrEnum):
    """What is wrong, on purpose, with an episode's label or file."""

    LATE = "start_too_late"
    BEYOND_REPAIR = "beyond_repair"
    LEAKED = "also_in_test"
    DAMAGED = "damaged_file"


@dataclass(frozen=True)
class Episode:
    """One planned episode; `show` counts from 0, `number` from 1."""

    split: str
    id: str
    show: int
    number: int
    size: tuple[int, int]
    rate: Fraction
    has_sound: bool
    shots: tuple[Shot, ...]
    faults: tuple[Fault, ...]

    @property
    def name(self) -> str:
        """Return the name as label files have it."""
        return f"{SHOWS[self.show].name}. Season 1, episode {self.number}"

    @property
    def n_seconds(self) -> int:
        """Return the number of full seconds 0, 1, … that it has begun."""
        return math.ceil(self.shots[-1].end_s)

    @property
    def intro(self) -> tuple[Fraction, Fraction] | None:
        """Return the true `[start_s, end_s)` of the opening; None where there is none."""
        for shot in self.shots:
            if shot.kind is ShotKind.OPENING:
                return shot.start_s, shot.end_s
        return None


@dataclass(frozen=True)
class Look:
    """What the episodes of one series share; without title music, its opening is silent."""

    design: openings.Design
    opening_s: Fraction
    moods: tuple[int, ...]
    title_music: Entropy | None
    closing_music: Entropy


@dataclass(frozen=True)
class Library:
    """The looks of all series, and all episodes, train before test."""

    looks: tuple[Look, ...]
    episodes: tuple[Episode, ...]

    def of_split(self, split: str) -> list[Episode]:
        """Return the episodes of a split, the ones leaked from train last in test."""
        own = [episode for episode in self.episodes if episode.split == split]
        leaked = [episode for episode in self.episodes if Fault.LEAKED in episode.faults]
        return own + leaked if split == TEST else own


def plan_library(
    seed: int,
    *,
    library: LibraryForm,
    episode: EpisodeForm,
    picture: PictureForm,
    sound: SoundForm,
    faults: FaultForm,
) -> Library:
    """Plan every series and episode.

    Raises InputError where there are too few episodes for the requested faults, or too few series
    or episodes for those without sound.
    """
    looks = _plan_looks(seed, library, episode, sound)
    slots = list(_slots(library))
    roles = _plan_roles(np.random.default_rng([seed, _FAULTS]), slots, faults)
    mute = _plan_mute(np.random.default_rng([seed, _SOUND, 1]), slots, roles, sound)
    planned: dict[tuple[int, int], Episode] = {}
    for slot in slots:
        look = None if slot in roles.without_intro else looks[slot.show]
        before = planned.get((slot.show, slot.number - 1))
        turn = slot.show + slot.number  # sizes and rates vary within a series, too
        planned[slot.show, slot.number] = Episode(
            split=slot.split,
            id=_episode_id(SHOWS[slot.show], slot.number),
            show=slot.show,
            number=slot.number,
            size=picture.sizes[turn % len(picture.sizes)],
            rate=Fraction(picture.rates[(turn + slot.show // 2) % len(picture.rates)]),
            has_sound=slot not in mute,
            shots=_plan_shots(
                seed,
                slot,
                episode,
                sound,
                closing_music=looks[slot.show].closing_music,
                opening=look,
                before=before,
            ),
            faults=tuple(fault for fault in Fault if slot in roles.of_fault[fault]),
        )
    in_order = sorted(planned.values(), key=lambda one: one.split != TRAIN)
    return Library(tuple(looks), tuple(in_order))


@dataclass(frozen=True)
class _Slot:
    """The place of an episode in the library."""

    split: str
    show: int
    number: int


@dataclass(frozen=True)
class _Roles:
    """Which episodes have no intro, and which have which fault."""

    without_intro: frozenset[_Slot]
    of_fault: dict[Fault, frozenset[_Slot]]


def _slots(library: LibraryForm) -> Iterator[_Slot]:
    """Yield every episode's place; of a series that train knows, the last episode is test."""
    for show in range(library.n_shows):
        n_episodes = library.episodes_per_show[show % len(library.episodes_per_show)]
        unseen = show >= library.n_shows - library.n_unseen_shows
        for number in range(1, n_episodes + 1):
            yield _Slot(TEST if unseen or number == n_episodes else TRAIN, show, number)


def _plan_roles(rng: np.random.Generator, slots: list[_Slot], faults: FaultForm) -> _Roles:
    """Draw the episodes without intro and those with a fault; only leaked ones may be late, too."""
    train, test = (_shuffled(rng, [s for s in slots if s.split == split]) for split in SPLITS)
    n_bare = faults.n_without_intro_per_split
    needed = n_bare + 2 + faults.n_leaked
    if len(train) < needed or len(test) < n_bare:
        raise InputError(
            f"params.yaml: demo: {len(train)} train and {len(test)} test episodes are too few for "
            f"the faults, which need {needed} and {n_bare}; plan more episodes or fewer faults"
        )
    without_intro = frozenset(train[:n_bare] + test[:n_bare])
    damaged, beyond_repair = train[n_bare : n_bare + 2]
    late: list[_Slot] = []
    for split in (train, test):
        with_intro = [slot for slot in split if slot not in without_intro]
        able = [slot for slot in with_intro if slot not in (damaged, beyond_repair)]
        late += _shuffled(rng, able)[: round(faults.late_share * len(with_intro))]
    return _Roles(
        without_intro,
        {
            Fault.LATE: frozenset(late),
            Fault.BEYOND_REPAIR: frozenset([beyond_repair]),
            Fault.LEAKED: frozenset(train[n_bare + 2 : needed]),
            Fault.DAMAGED: frozenset([damaged]),
        },
    )


def _plan_mute(
    rng: np.random.Generator, slots: list[_Slot], roles: _Roles, sound: SoundForm
) -> frozenset[_Slot]:
    """Draw the episodes whose files have no sound, among those with an intro and no fault."""
    taken = roles.without_intro.union(*roles.of_fault.values())
    able = _shuffled(rng, [slot for slot in slots if slot not in taken])
    if len(able) < sound.n_without_sound:
        raise InputError(
            f"params.yaml: demo.sound.n_without_sound: {sound.n_without_sound} is more than the "
            f"{len(able)} episodes that have an intro and no fault; plan more or request fewer"
        )
    return frozenset(able[: sound.n_without_sound])


def _plan_looks(
    seed: int, library: LibraryForm, episode: EpisodeForm, sound: SoundForm
) -> list[Look]:
    """Plan each series; the lengths of openings are spread over their range, in random order.

    They are the middles of equal parts of it: its ends are whole numbers.
    """
    rng = np.random.default_rng([seed, _SERIES])
    motifs = rng.permutation(len(openings.MOTIFS))
    palettes = rng.permutation(len(openings.PALETTES))
    shortest, longest = episode.opening_s
    parts = (np.arange(library.n_shows) + 0.5) / library.n_shows
    lengths = rng.permutation(shortest + (longest - shortest) * parts)
    silent, returning = _plan_music(np.random.default_rng([seed, _SOUND]), library.n_shows, sound)
    looks = []
    for show in range(library.n_shows):
        style = openings.design(
            SHOWS[show].title, int(motifs[show]), int(palettes[show]), (seed, _OPENING, show)
        )
        own = np.random.default_rng([seed, _SHOW, show])
        moods = own.permutation(len(scenes.MOODS))[:_N_MOODS]
        title_music = (seed, _TITLE_MUSIC, show)
        looks.append(
            Look(
                design=style,
                opening_s=Fraction(round(lengths[show] * episode.steps_a_s), episode.steps_a_s),
                moods=tuple(int(mood) for mood in moods),
                title_music=None if show in silent else title_music,
                closing_music=title_music if show in returning else (seed, _CLOSING_MUSIC, show),
            )
        )
    return looks


def _plan_music(
    rng: np.random.Generator, n_shows: int, sound: SoundForm
) -> tuple[frozenset[int], frozenset[int]]:
    """Draw the series with silent openings, and of the others those whose music closes, too."""
    if sound.n_silent_openings > n_shows:
        raise InputError(
            f"params.yaml: demo.sound.n_silent_openings: {sound.n_silent_openings} is more than "
            f"the {n_shows} series; plan more or request fewer"
        )
    shows = [int(show) for show in rng.permutation(n_shows)]
    heard = shows[sound.n_silent_openings :]
    n_returning = round(sound.closing_with_title_share * len(heard))
    return frozenset(shows[: sound.n_silent_openings]), frozenset(heard[:n_returning])


def _plan_shots(
    seed: int,
    slot: _Slot,
    form: EpisodeForm,
    sound: SoundForm,
    *,
    closing_music: Entropy,
    opening: Look | None,
    before: Episode | None,
) -> tuple[Shot, ...]:
    """Plan recap, cold open, opening, film and closing roll, each without a gap after the last."""
    rng = np.random.default_rng([seed, _EPISODE, slot.show, slot.number])
    own = (slot.show, slot.number)
    between = _Draw(rng, form.steps_a_s)
    length_s, closing_s = between(form.length_s), between(form.closing_s)
    has_recap = before is not None and rng.random() < form.recap_share
    cold_s = between(form.cold_open_s) if rng.random() < form.cold_open_share else Fraction()
    recap: list[_Part] = []
    if before is not None and has_recap:
        recap = _excerpts(rng, before, between((form.recap_s, form.recap_s + 1)), form.steps_a_s)
    title: list[_Part] = []
    if opening is not None:
        heard = Heard(opening.opening_s, music=opening.title_music)
        title = [_Part(ShotKind.OPENING, opening.opening_s, (seed, _NAMES, *own), heard)]
    rest_s = length_s - sum(part.length_s for part in recap + title)
    rest_s -= cold_s + form.establishing_s + closing_s
    cuts = [_cuts(between, cold_s, form.shot_s), _cuts(between, rest_s, form.shot_s)]
    films: list[list[_Part]] = [[], []]
    for half, lengths in enumerate(cuts):
        for index, seconds in enumerate(lengths):
            scene = (*own, half, index)
            heard = _plan_scene(seed, scene, seconds, sound)
            films[half].append(_Part(ShotKind.FILM, seconds, (seed, _FILM, *scene), heard))
    half = int(rng.integers(2)) if cold_s else 1
    place = int(rng.integers(len(films[half]) + 1))
    establishing_s = Fraction(form.establishing_s)
    heard = _plan_scene(seed, own, establishing_s, sound)
    entropy = (seed, _RETURNING, slot.show)
    films[half].insert(place, _Part(ShotKind.ESTABLISHING, establishing_s, entropy, heard))
    heard = Heard(closing_s, music=closing_music)
    closing = _Part(ShotKind.CLOSING, closing_s, (seed, _CLOSING, *own), heard)
    return _in_a_row([*recap, *films[0], *title, *films[1], closing])


def _plan_scene(seed: int, scene: tuple[int, ...], length_s: Fraction, sound: SoundForm) -> Heard:
    """Draw what is heard in a scene of film."""
    talks, plays = np.random.default_rng([seed, _HEARD, *scene]).random(2)
    return Heard(
        length_s,
        voices=(seed, _HEARD, *scene, 1) if talks < sound.voices_share else None,
        surroundings=(seed, _HEARD, *scene, 2),
        scene_music=(seed, _SCENE_MUSIC, *scene) if plays < sound.scene_music_share else None,
    )


@dataclass(frozen=True)
class _Part:
    """A shot whose place is not yet set."""

    kind: ShotKind
    length_s: Fraction
    entropy: Entropy
    heard: Heard


def _in_a_row(parts: list[_Part]) -> tuple[Shot, ...]:
    shots, start_s = [], Fraction()
    for part in parts:
        end_s = start_s + part.length_s
        shots.append(Shot(part.kind, start_s, end_s, part.entropy, part.heard))
        start_s = end_s
    return tuple(shots)


def _excerpts(
    rng: np.random.Generator, before: Episode, recap_s: Fraction, steps_a_s: int
) -> list[_Part]:
    """Return scenes of the episode before, in their order, that fill `recap_s`."""
    films = [shot for shot in before.shots if shot.kind is ShotKind.FILM]
    n_excerpts = min(len(films), max(1, int(recap_s) // _EXCERPT_S))
    picked = np.sort(rng.choice(len(films), n_excerpts, replace=False))
    bounds = [int(recap_s * steps_a_s) * index // n_excerpts for index in range(n_excerpts + 1)]
    return [
        _Part(ShotKind.RECAP, Fraction(stop - start, steps_a_s), film.entropy, film.heard)
        for film, (start, stop) in zip((films[i] for i in picked), pairwise(bounds), strict=True)
    ]


@dataclass(frozen=True)
class _Draw:
    """Draws lengths between two bounds, both included, in steps."""

    rng: np.random.Generator
    steps_a_s: int

    def __call__(self, bounds: tuple[int | Fraction, int | Fraction]) -> Fraction:
        """Return seconds."""
        first, last = (int(bound * self.steps_a_s) for bound in bounds)
        return Fraction(int(self.rng.integers(first, last + 1)), self.steps_a_s)


def _cuts(between: _Draw, total_s: Fraction, shot_s: tuple[int, int]) -> list[Fraction]:
    """Return lengths within `shot_s` that add up to `total_s`; a shorter total is one shot."""
    shortest, longest = shot_s
    lengths = []
    while total_s > longest:
        lengths.append(between((shortest, min(Fraction(longest), total_s - shortest))))
        total_s -= lengths[-1]
    return [*lengths, total_s] if total_s else lengths


def _shuffled(rng: np.random.Generator, slots: list[_Slot]) -> list[_Slot]:
    return [slots[index] for index in rng.permutation(len(slots))]


def _episode_id(show: Show, number: int) -> str:
    return dict(show.odd_ids).get(number, f"{show.slug}-s01e{number:02d}")
