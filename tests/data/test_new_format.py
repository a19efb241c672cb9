"""A format that is registered anew: its files are photos, those that failed before too.

To add a format for good, add its entry to `formats.FORMATS`; copy this test for its pixels.
"""

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL
import pytest
from conftest import TINY, write_colour_tree
from PIL import Image, PpmImagePlugin

from retrain.data.decoding.decode import DECODER, Recipe, decode
from retrain.data.decoding.faults import BadPhoto
from retrain.data.decoding.formats import FORMATS, ImageFormat, decoder_identities, format_of
from retrain.data.decoding.open import no_photo
from retrain.data.digests import digest_of
from retrain.data.file_kinds import is_picture, is_picture_name, suffix_fits
from retrain.features.extractor import Extractor, Work

PPM = ImageFormat("PPM", re.compile(rb"P[1-6]\s"), (".rawpic",), PpmImagePlugin.PpmImageFile)
RED = Image.new("RGB", (20, 10), (250, 10, 20))


def encoded(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PPM")
    return file.getvalue()


def test_one_entry_makes_a_format_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content, recipe = encoded(RED), Recipe(4, 6)
    (tmp_path / "a.rawpic").write_bytes(content)
    (tmp_path / "nameless").write_bytes(content)
    assert not is_picture_name("a.rawpic") and not is_picture(tmp_path / "nameless")
    with pytest.raises(BadPhoto, match="netpbm"):
        decode(content, recipe)
    monkeypatch.setitem(FORMATS, "PPM", PPM)
    assert format_of(content) == "PPM"
    assert is_picture_name("A.RAWPIC") and is_picture(tmp_path / "nameless")
    assert suffix_fits("a.rawpic", "PPM") and not suffix_fits("a.jpg", "PPM")
    assert (decode(content, recipe) == np.array(RED.getpixel((0, 0)), np.uint8)).all()
    assert no_photo(b"text") == "not a JPEG, PNG, WebP, BMP, GIF, TIFF or PPM picture"


def test_files_that_failed_are_tried_again_when_their_format_comes_or_its_decoder_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo, cut = tmp_path / "whole.rawpic", tmp_path / "cut.rawpic"
    photo.write_bytes(encoded(RED))
    cut.write_bytes(encoded(RED)[:-100])
    key, broken = digest_of(photo.read_bytes()), digest_of(cut.read_bytes())
    work = Work((str(photo), str(cut)))
    before = Extractor(TINY, tmp_path / "b").do(work)
    assert set(before.failed) == {key, broken}
    again = Extractor(TINY, tmp_path / "b").do(work)
    assert not again.failed and not again.computed  # not tried

    monkeypatch.setitem(FORMATS, "PPM", PPM)
    known = Extractor(TINY, tmp_path / "b").do(work)
    assert list(known.computed) == [key] and list(known.failed) == [broken]
    again = Extractor(TINY, tmp_path / "b").do(work)
    assert not again.failed and not again.computed

    monkeypatch.setitem(FORMATS, "PPM", replace(PPM, decoder="netpbm 2"))
    newer = Extractor(TINY, tmp_path / "b").do(work)
    assert list(newer.failed) == [broken] and not newer.computed  # the feature is still good
    monkeypatch.setitem(FORMATS, "PPM", PPM)
    assert not Extractor(TINY, tmp_path / "b").do(work).failed  # the older record serves again


def test_a_record_from_before_decoders_were_named_still_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = sorted(write_colour_tree(tmp_path / "colours", photos=1).rglob("*.png"))[0]
    photo.write_bytes(photo.read_bytes()[:300])
    work = Work((str(photo),))
    (key,) = Extractor(TINY, tmp_path / "b").do(work).failed
    (record,) = (tmp_path / "b").glob("*/shards/*/shard.json")
    facts = json.loads(record.read_text(encoding="utf-8"))
    assert facts["decoders"] == decoder_identities(PIL.__version__, DECODER)
    assert facts["decoders"]["JPEG"] == f"Pillow {PIL.__version__} + decoder {DECODER}"
    del facts["decoders"], facts["digest"]
    facts["digest"] = digest_of(json.dumps(facts, sort_keys=True).encode()).hex()
    record.write_text(json.dumps(facts, indent=1), encoding="utf-8")
    assert not Extractor(TINY, tmp_path / "b").do(work).failed  # known, so not tried
    monkeypatch.setitem(FORMATS, "PPM", PPM)
    assert list(Extractor(TINY, tmp_path / "b").do(work).failed) == [key]
