"""How fast a module is on this machine: photos a second, from their files to their features."""

import time
from collections.abc import Iterator, Sequence

import numpy as np

from retrain.backbones.engines.engine import choose_engine
from retrain.data.read import read_photos_ahead
from retrain.features.extractor import Extractor


def photos_per_second(extractor: Extractor, paths: Sequence[str], seconds: float) -> float:
    """Measure photos per second, decoding included; the start of the engine is left out.

    Args:
        extractor: The module, and how it is run. Nothing is taken from its store or put there.
        paths: The photos to measure with.
        seconds: The most that it takes.

    Returns:
        The rate; 0 if none of the photos could be read.
    """
    engine = choose_engine(extractor.engine, extractor.backbone, extractor.precision)
    end = time.monotonic() + seconds

    def pictures() -> Iterator[tuple[int, np.ndarray]]:
        for number, pixels in read_photos_ahead(paths, extractor.recipe):
            if time.monotonic() > end:
                return
            if isinstance(pixels, np.ndarray):
                yield number, pixels

    start = time.monotonic()
    done = sum(1 for _ in engine.run(pictures()))
    return done / (time.monotonic() - start)
