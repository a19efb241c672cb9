"""Finding, with TensorFlow operations, the EXIF of a JPEG or PNG file and what it says.

Places are int64 scalars, counted in bytes from the start of the file.
"""

from collections.abc import Callable
from typing import Any

from retrain.utils.tensorflow import import_tensorflow

ORIENTATION, SHORT = 0x0112, 3
START_OF_SCAN, APP1 = 0xDA, 0xE1


class Octets:
    """The bytes of a scalar string, and the whole numbers made of them; 0 beyond the end."""

    def __init__(self, content: Any) -> None:
        tf = import_tensorflow()
        values = tf.io.decode_raw(content, tf.uint8)
        self.count = tf.size(values, tf.int64)
        self.values = tf.concat([values, tf.zeros(1, tf.uint8)], 0)

    def at(self, places: Any) -> Any:
        """Return the bytes at these places as int64."""
        tf = import_tensorflow()
        places = tf.convert_to_tensor(places, tf.int64)
        inside = tf.where((places >= 0) & (places < self.count), places, self.count)
        return tf.cast(tf.gather(self.values, inside), tf.int64)

    def little(self, places: Any, size: int) -> Any:
        """Return the little-endian numbers of `size` bytes at these places."""
        return sum(self.at(places + octet) * 256**octet for octet in range(size))

    def big(self, places: Any, size: int) -> Any:
        """Return the big-endian numbers of `size` bytes at these places."""
        return sum(self.at(places + octet) * 256 ** (size - 1 - octet) for octet in range(size))

    def are(self, place: Any, text: bytes) -> Any:
        """Tell whether `text` stands at a place."""
        tf = import_tensorflow()
        places = place + tf.range(len(text), dtype=tf.int64)
        return tf.reduce_all(self.at(places) == list(text))


def exif_orientation(octets: Octets, start: Any) -> Any:
    """Return EXIF's orientation in the TIFF structure at `start`; 1, upright, where it has none."""
    tf = import_tensorflow()
    backwards = octets.at(start) == ord("I")

    def number(places: Any, size: int) -> Any:
        return tf.where(backwards, octets.little(places, size), octets.big(places, size))

    directory = start + number(start + 4, 4)
    entries = directory + 2 + 12 * tf.range(number(directory, 2))
    known = (number(entries, 2) == ORIENTATION) & (number(entries + 2, 2) == SHORT)
    found = tf.boolean_mask(number(entries + 8, 2), known)
    first = tf.cast(tf.concat([found, [1]], 0)[0], tf.int32)
    return tf.where((first >= 1) & (first <= 8), first, 1)


def _walk(octets: Octets, start: Any, step: Callable[[Any], tuple[Any, Any]]) -> Any:
    """Return the first place that `step` finds, -1 for none.

    `step` gets the place of a part of the file, and gives that of the next one and what it found,
    or -1.
    """
    tf = import_tensorflow()
    begin, nothing = tf.convert_to_tensor(start, tf.int64), tf.constant(-1, tf.int64)
    _, found = tf.while_loop(
        lambda place, found: (found < 0) & (place < octets.count),
        lambda place, found: step(place),
        (begin, nothing),
    )
    return found


def jpeg_exif(octets: Octets) -> Any:
    """Return where a JPEG's EXIF begins; -1 for none."""
    tf = import_tensorflow()

    def step(place: Any) -> tuple[Any, Any]:
        marker = octets.at(place + 1)
        known = (marker == APP1) & octets.are(place + 4, b"Exif\0\0")
        ends = (octets.at(place) != 0xFF) | (marker == START_OF_SCAN)
        after = place + 2 + octets.big(place + 2, 2)
        return tf.where(ends, octets.count, after), tf.where(known, place + 10, -1)

    return _walk(octets, 2, step)


def png_exif(octets: Octets) -> Any:
    """Return where a PNG's EXIF begins; -1 for none before the pixels, where it belongs."""
    tf = import_tensorflow()

    def step(place: Any) -> tuple[Any, Any]:
        after = place + 12 + octets.big(place, 4)
        ends = octets.are(place + 4, b"IDAT")
        known = octets.are(place + 4, b"eXIf")
        return tf.where(ends, octets.count, after), tf.where(known, place + 8, -1)

    return _walk(octets, 8, step)
