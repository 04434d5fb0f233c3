"""The one exception that is meant for the user's eyes."""


class InputError(Exception):
    """A fault in what the user gave: it names the place, the fault and the remedy.

    Stages and commands print it as one line and end with exit code 1, without a traceback.
    """
