"""The one exception that is meant for the user's eyes."""

import re

_LINE_ENDS = re.compile(r"\s*[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]\s*")
# What a terminal would obey rather than show: control characters, halves of surrogate pairs, and
# what turns the direction of the text around it (https://trojansource.codes).
_OBEYED = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
_LONGEST, _HEAD, _TAIL = 2000, 1500, 400  # characters; place and remedy are at the ends


class InputError(Exception):
    """A fault in the user's input. The message names the place, the fault and the remedy.

    Stages and commands print it as one line and end with exit code 1, without a traceback.
    """

    def __str__(self) -> str:
        """Return one line of bounded length, whatever the names and values in it hold."""
        return one_line(super().__str__())


def one_line(text: str) -> str:
    """Make a text one line of bounded length that a terminal shows and does not obey."""
    if len(text) > _LONGEST:
        text = f"{text[:_HEAD]} … {text[-_TAIL:]}"
    if text.isprintable():
        return text
    joined = _LINE_ENDS.sub(" ", text).strip()
    return _OBEYED.sub(lambda found: found[0].encode("unicode_escape").decode(), joined)
