"""Writing an explanation into a picture file."""

import io
from pathlib import Path

from retrain.data.decoding.decode import pillow_warnings_ignored
from retrain.inference.explain.explainer import Explanation
from retrain.inference.explain.overlay import draw_explanation
from retrain.utils.files import write_bytes


def draw_into(file: Path, photo: str, explanation: Explanation) -> None:
    """Draw the photo and its overlay into a .png or .jpg file; raise RetrainError if that fails."""
    content = io.BytesIO()
    caption = f"{explanation.label} {explanation.score:.1%}"
    with pillow_warnings_ignored():
        picture = draw_explanation(photo, explanation.heat, caption)
    picture.save(content, "PNG" if file.suffix.lower() == ".png" else "JPEG", quality=90)
    write_bytes(file, content.getvalue())
