"""Normalizes the names of series, however their letters are written."""

import re
import unicodedata

# Cyrillic letters that are drawn as Latin ones, by https://www.unicode.org/reports/tr39/.
_CYRILLIC = "АВЕЅІЈКМНОРСТУХаеѕіјорсухһԁԛԝ"
_LATIN = "ABESIJKMHOPCTYXaesijopcyxhdqw"
_TO_LATIN, _TO_CYRILLIC = str.maketrans(_CYRILLIC, _LATIN), str.maketrans(_LATIN, _CYRILLIC)


def normalize_title(name: str) -> str:
    """Return the same title for `Show.Name`, `Show_Name -` and `show name`.

    However its letters are composed, with signs that are not drawn, and with look-alikes of another
    alphabet within a word. It may be empty.
    """
    composed = unicodedata.normalize("NFKC", drawn(name))
    plain = re.sub(r"[\s._]+", " ", composed).lstrip(" -").rstrip(" -,[(")
    letters = re.sub(r"\w+", lambda word: _of_one_alphabet(word[0]), plain)
    return unicodedata.normalize("NFKC", letters.casefold())


def drawn(name: str) -> str:
    """Leave out what is not drawn: marks of direction, joiners, a byte-order mark."""
    return "".join(sign for sign in name if unicodedata.category(sign) != "Cf")


def _of_one_alphabet(word: str) -> str:
    """Return a word that mixes Latin and Cyrillic in the one that can spell it, Latin first."""
    if word.isascii() or not (_has("LATIN", word) and _has("CYRILLIC", word)):
        return word
    if not _has("CYRILLIC", latin := word.translate(_TO_LATIN)):
        return latin
    cyrillic = word.translate(_TO_CYRILLIC)
    return word if _has("LATIN", cyrillic) else cyrillic


def _has(alphabet: str, word: str) -> bool:
    return any(unicodedata.name(letter, "").startswith(alphabet) for letter in word)
