"""Which chapter is the opening, from its title in one of several languages.

Whole words count, whatever their case and accents.
"""

import re
import unicodedata
from dataclasses import dataclass

_OPENING_NAMES = (
    *("intro", "opening", "main title", "main titles", "title sequence", "theme song"),
    *("вступление", "заставка", "опенинг", "начальные титры", "vorspann", "générique", "generic"),
    *("cabecera", "sigla", "titoli di testa", "abertura", "czołówka"),
    *("オープニング", "片头", "片頭"),
)
_OTHER_NAMES = (  # Opening scene, Intro end, Après le générique, Générique de fin, После заставки
    *("after", "before", "end", "ending", "fin", "closing", "outro", "pre", "post", "scene"),
    *("recap", "logo", "logos", "without", "ende", "nach", "vor", "ohne", "avant", "après"),
    *("до", "после", "без", "конец"),
)
# `op` is a word of Dutch: it counts by itself, or in capitals.
_OP_ALONE, _OP_WITHIN = re.compile(r"op\d{0,2}"), re.compile(r"(?:\b|_)OP\d{0,2}(?:\b|_)")


@dataclass(frozen=True)
class Chapter:
    """`[start_s, end_s)` of playing, with its title."""

    start_s: float
    end_s: float
    title: str


def names_opening(title: str) -> bool:
    """Return whether a chapter's title names an opening."""
    words = " ".join(re.findall(r"\w+", _plain(title).replace("_", " ")))
    named = _OPENING.search(words) or _OP_ALONE.fullmatch(words) or _OP_WITHIN.search(title)
    return bool(named) and not _OTHER.search(words)


def _plain(text: str) -> str:
    """Leave out case and accents."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(sign for sign in apart if unicodedata.category(sign) != "Mn")


def _any_of(names: tuple[str, ...], ending: str = "") -> re.Pattern[str]:
    choices = "|".join(re.escape(_plain(name)) for name in names)
    return re.compile(rf"\b(?:{choices}){ending}\b")


_OPENING = _any_of(_OPENING_NAMES, r"\d{0,2}")  # Opening02
_OTHER = _any_of(_OTHER_NAMES)
