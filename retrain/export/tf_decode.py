"""Decoding in a graph: `data.decoding.decode` as TensorFlow operations.

For graphs that take files' bytes. Every function gets and gives tensors. The same libjpeg and
libpng decode; alpha, orientation and resizing follow Pillow's arithmetic, rounding included.
"""

from collections.abc import Callable
from typing import Any

from retrain.data.decoding.decode import Recipe
from retrain.export.tf_exif import Octets, exif_orientation, jpeg_exif, png_exif
from retrain.utils.tensorflow import import_tensorflow

JPEG, PNG = b"\xff\xd8\xff", b"\x89PNG"  # how such files begin


def pixels_of(content: Any, recipe: Recipe) -> Any:
    """Decode the JPEG or PNG in `content` (a scalar string) into [height, width, 3] float32.

    The values are whole numbers 0..255, as `decode.decode` gives them. Any other content fails when
    the graph runs, with a line that says so.
    """
    tf = import_tensorflow()
    is_jpeg, is_png = (tf.strings.substr(content, 0, len(m)) == m for m in (JPEG, PNG))
    known = tf.debugging.Assert(is_jpeg | is_png, ["this is neither a JPEG nor a PNG file"])
    with tf.control_dependencies([known]):
        content = tf.identity(content)
    octets = Octets(content)
    exif = tf.cond(is_jpeg, lambda: jpeg_exif(octets), lambda: png_exif(octets))
    orientation = tf.cond(exif >= 0, lambda: exif_orientation(octets, exif), lambda: tf.constant(1))
    picture = tf.cond(
        is_jpeg,
        lambda: _jpeg(content, recipe, turned=orientation >= 5),
        lambda: _png(content, octets),
    )
    return _resized(_upright(picture, orientation), recipe)


def _jpeg(content: Any, recipe: Recipe, turned: Any) -> Any:
    """Decode a JPEG, reduced as Pillow's `draft` does it."""
    tf = import_tensorflow()
    high, wide = Recipe.REDUCE * recipe.height, Recipe.REDUCE * recipe.width
    wanted = tf.where(turned, [wide, high], [high, wide])
    larger = tf.reduce_min(tf.image.extract_jpeg_shape(content)[:2] // wanted)
    reduction = tf.reduce_sum(tf.cast(larger >= [2, 4, 8], tf.int32))

    def decoder(ratio: int) -> Callable[[], Any]:
        return lambda: tf.io.decode_jpeg(
            content, channels=3, ratio=ratio, dct_method="INTEGER_ACCURATE"
        )

    return tf.switch_case(reduction, [decoder(ratio) for ratio in (1, 2, 4, 8)])


def _png(content: Any, octets: Octets) -> Any:
    """Decode a PNG and put it on white.

    TensorFlow marks pixels opaque by the largest number of the file's own depth.
    """
    tf = import_tensorflow()
    rgba = tf.io.decode_png(content, channels=4)
    opaque = tf.bitwise.left_shift(tf.constant(1, tf.int64), octets.at(24)) - 1
    alpha = tf.cast(rgba[:, :, 3:], tf.int64)
    return _on_white(rgba[:, :, :3], tf.where(alpha != opaque, alpha, 255))


def _on_white(colours: Any, alpha: Any) -> Any:
    tf = import_tensorflow()
    colours, alpha = tf.cast(colours, tf.float32), tf.cast(alpha, tf.float32)
    blended = (colours * alpha + 255 * (255 - alpha)) / 255
    return tf.cast(tf.floor(blended + 0.5), tf.uint8)


def _upright(picture: Any, orientation: Any) -> Any:
    """Turn and mirror a picture by EXIF's number, 1 to 8."""
    tf = import_tensorflow()

    def reversed_if(numbers: list[int], axis: int, image: Any) -> Any:
        asked = tf.reduce_any(orientation == numbers)
        return tf.cond(asked, lambda: tf.reverse(image, [axis]), lambda: image)

    turned = tf.cond(orientation >= 5, lambda: tf.transpose(picture, [1, 0, 2]), lambda: picture)
    return reversed_if([2, 3, 6, 7], 1, reversed_if([3, 4, 7, 8], 0, turned))


def _resized(picture: Any, recipe: Recipe) -> Any:
    """Resize anti-aliased and bilinear, across and then down.

    Values are rounded to whole numbers after each.
    """
    tf = import_tensorflow()
    rows = tf.shape(picture)[0]
    image = tf.cast(picture, tf.float32)
    for size in (tf.stack([rows, recipe.width]), [recipe.height, recipe.width]):
        image = tf.floor(tf.image.resize(image, size, antialias=True) + 0.5)
    return tf.clip_by_value(tf.ensure_shape(image, [recipe.height, recipe.width, 3]), 0, 255)
