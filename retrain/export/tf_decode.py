"""Decoding in a graph: `data.decoding.decode` as TensorFlow operations.

For graphs that take files' bytes. Every function gets and gives tensors. The same libjpeg and
libpng decode; alpha, orientation and resizing follow Pillow's arithmetic, rounding included.
"""

from collections.abc import Callable
from typing import Any

from retrain.data.decoding.decode import Recipe
from retrain.export.tf_exif import (
    Octets,
    exif_orientation,
    gif_on_white,
    jpeg_exif,
    png_exif,
    webp_exif,
)
from retrain.utils.tensorflow import import_tensorflow

MAGIC = (b"\xff\xd8\xff", b"\x89PNG", b"RIFF", b"BM", b"GIF8")  # JPEG, PNG, WebP, BMP, GIF


def pixels_of(content: Any, recipe: Recipe) -> Any:
    """Decode the picture in `content` (a scalar string) into [height, width, 3] float32.

    The values are whole numbers 0..255, as `decode.decode` gives them.
    """
    tf = import_tensorflow()
    octets = Octets(content)
    kind = sum(
        number * tf.cast(tf.strings.substr(content, 0, len(magic)) == magic, tf.int32)
        for number, magic in enumerate(MAGIC, start=1)
    )
    nowhere = tf.constant(-1, tf.int64)
    exif = tf.switch_case(
        kind,
        [
            lambda: nowhere,
            lambda: jpeg_exif(octets),
            lambda: png_exif(octets),
            lambda: webp_exif(octets),
        ],
        default=lambda: nowhere,
    )
    orientation = tf.cond(exif >= 0, lambda: exif_orientation(octets, exif), lambda: tf.constant(1))
    picture = tf.switch_case(
        kind,
        [
            lambda: _decoded(content),
            lambda: _jpeg(content, recipe, turned=orientation >= 5),
            lambda: _png(content, octets),
            lambda: _webp(content, octets),
            lambda: _bmp(content, octets),
            lambda: _decoded(gif_on_white(content, octets)),
        ],
    )
    return _resized(_upright(picture, orientation), recipe)


def _decoded(content: Any, channels: int = 3) -> Any:
    """Decode a picture by its content; fails on what is none. 0 channels: as many as there are."""
    picture = import_tensorflow().io.decode_image(content, channels, expand_animations=False)
    picture.set_shape([None, None, channels or None])
    return picture


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


def _webp(content: Any, octets: Octets) -> Any:
    """Decode a WebP picture and put it on white.

    Animations are refused: TensorFlow 2.21 writes beyond its memory when it decodes one.
    """
    tf = import_tensorflow()
    animated = octets.are(12, b"VP8X") & (octets.at(20) // 2 % 2 == 1)
    refused = tf.debugging.Assert(~animated, ["an animated WebP cannot be decoded"])
    with tf.control_dependencies([refused]):
        picture = _decoded(tf.identity(content), channels=0)
    return tf.cond(
        tf.shape(picture)[2] == 4,
        lambda: _on_white(picture[:, :, :3], picture[:, :, 3:]),
        lambda: picture[:, :, :3],
    )


def _bmp(content: Any, octets: Octets) -> Any:
    """Decode a BMP.

    TensorFlow gives the numbers of a palette's colours; the palette is four bytes a colour, blue
    first, behind the header. The fourth byte of 32-bit pixels means nothing.
    """
    tf = import_tensorflow()
    picture = tf.io.decode_bmp(content)
    palette = 14 + octets.little(14, 4)

    def coloured() -> Any:
        places = palette + 4 * tf.cast(picture, tf.int64) + tf.constant([2, 1, 0], tf.int64)
        return tf.cast(octets.at(places), tf.uint8)

    return tf.cond(tf.shape(picture)[2] == 1, coloured, lambda: picture[:, :, :3])


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
