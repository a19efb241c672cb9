"""Why there are no pixels: for good, or only now."""


class BadPhoto(Exception):
    """The file is not a usable photo; the text says why."""


class TooLittleMemory(OSError):
    """The photo may be usable, but not now: the text says how much memory it needs."""
