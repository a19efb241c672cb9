"""Errors of decoding: a file that is no photo, and a photo that needs more memory now."""


class BadPhoto(Exception):
    """The file is not a usable photo; the message says why."""


class TooLittleMemory(OSError):
    """The photo may be usable, but not now: the message says how much memory it needs."""
