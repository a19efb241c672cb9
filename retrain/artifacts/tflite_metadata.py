"""TensorFlow Lite's metadata, in which a `.tflite` file describes itself: writing and reading.

The metadata is a flatbuffer of its own in one of the model's buffers (metadata_schema.fbs, see
https://ai.google.dev/edge/litert/models/metadata); the files that it names follow the model as a
ZIP archive. Numbers of fields below are those of that schema and of the model's (schema.fbs). The
package tflite-support, which used to do this, cannot be installed beside TensorFlow's protobuf.
"""

import io
import struct
import zipfile
from dataclasses import dataclass, field
from typing import Any

from retrain.artifacts.flatbuffer import (
    Number,
    Table,
    root_table,
    write_float,
    write_table,
    write_vector,
)
from retrain.errors import RetrainError

LABELS = "labels.txt"
MODEL_IDENTIFIER, METADATA_IDENTIFIER = b"TFL3", b"M001"
METADATA_NAME = "TFLITE_METADATA"
OLDEST_PARSER = "1.0.0"
IMAGE_PROPERTIES, RGB = 2, 1
NORMALIZATION_OPTIONS = 1
TENSOR_AXIS_LABELS = 2
UINT8 = 3
ALIGNMENT = 16  # of the model's buffers


@dataclass(frozen=True)
class TfliteMetadata:
    """What a `.tflite` file says about itself.

    The model gets (pixel - mean) / std, with pixels 0..255 in RGB; a quantized input gets that
    divided by its scale. `files`: content by name; `labels.txt` has the classes, one a line.
    """

    name: str
    mean: float
    std: float
    files: dict[str, bytes] = field(default_factory=dict)


def read_metadata(model: bytes) -> TfliteMetadata | None:
    """Return the metadata in a `.tflite` file's content, None where it has none that can be read.

    Of means and stds that differ by channel, their averages; where the metadata tells none, 0 and
    1: the model gets pixels as they are.
    """
    try:
        described = _metadata_of(model)
        if described is None:
            return None
        mean, std = _normalization(described)
        return TfliteMetadata(described.content(0).decode(), mean, std, _files(model))
    except (struct.error, IndexError, ValueError):  # cut off, or no such tables
        return None


def with_metadata(model: bytes, metadata: TfliteMetadata) -> bytes:
    """Return a model, which has no metadata yet, with these; the same input gives the same bytes.

    The model's own bytes are kept as they are, behind a new root table that refers to them: no
    weight is copied or moved out of its alignment. Raises RetrainError for what is no TensorFlow
    Lite model.
    """
    if model[4:8] != MODEL_IDENTIFIER:
        raise RetrainError("only a TensorFlow Lite model can carry TensorFlow Lite's metadata")
    from flatbuffers import Builder

    old = root_table(model)
    kept = model + bytes(-len(model) % ALIGNMENT)
    builder = Builder(len(kept) + 4096)
    builder.Prep(ALIGNMENT, 0)
    builder.CreateByteVector(kept)

    def old_offset(position: int) -> int:  # flatbuffers are written, and counted, from the end
        return len(kept) - position

    buffers = [old_offset(table.position) for table in old.tables(4)]
    entries = [old_offset(table.position) for table in old.tables(6)]
    content = builder.CreateByteVector(_metadata_bytes(metadata, takes_bytes=_takes_bytes(old)))
    name = builder.CreateString(METADATA_NAME)
    entries.append(write_table(builder, {0: name, 1: Number("Uint32", len(buffers))}))
    buffers.append(write_table(builder, {0: content}))
    fields: dict[int, int | Number] = {0: Number("Uint32", old.number(0, "I"))}
    for slot in (1, 2, 3, 5, 7):  # operators, subgraphs, description, older metadata, signatures
        target = old.target(slot)
        if target is not None:
            fields[slot] = old_offset(target)
    fields[4], fields[6] = write_vector(builder, buffers), write_vector(builder, entries)
    builder.Finish(write_table(builder, fields), file_identifier=MODEL_IDENTIFIER)
    return _with_files(bytes(builder.Output()), metadata.files)


def _metadata_bytes(metadata: TfliteMetadata, *, takes_bytes: bool) -> bytes:
    """Return the ModelMetadata of a classifier with one input, a picture, and one output."""
    from flatbuffers import Builder

    builder = Builder(1024)
    subgraph = {
        2: write_vector(builder, [_image(builder, metadata, takes_bytes=takes_bytes)]),
        3: write_vector(builder, [_probability(builder, labelled=LABELS in metadata.files)]),
    }
    others = [
        write_table(builder, {0: builder.CreateString(name)})
        for name in metadata.files
        if name != LABELS
    ]
    whole = {
        0: builder.CreateString(metadata.name),
        3: write_vector(builder, [write_table(builder, subgraph)]),
        6: write_vector(builder, others),
        7: builder.CreateString(OLDEST_PARSER),
    }
    builder.Finish(write_table(builder, whole), file_identifier=METADATA_IDENTIFIER)
    return bytes(builder.Output())


def _image(builder: Any, metadata: TfliteMetadata, *, takes_bytes: bool) -> int:
    """Write the input's TensorMetadata: an RGB picture, its scaling, the range of its values."""
    properties = write_table(builder, {0: Number("Int8", RGB)})
    content = write_table(builder, {0: Number("Uint8", IMAGE_PROPERTIES), 1: properties})
    options = {0: write_float(builder, metadata.mean), 1: write_float(builder, metadata.std)}
    scaling = write_table(builder, options)
    unit = write_table(builder, {0: Number("Uint8", NORMALIZATION_OPTIONS), 1: scaling})
    mean, std = (0.0, 1.0) if takes_bytes else (metadata.mean, metadata.std)
    ends = {0: write_float(builder, (255 - mean) / std), 1: write_float(builder, (0 - mean) / std)}
    fields = {
        0: builder.CreateString("image"),
        1: builder.CreateString("The picture to be classified."),
        3: content,
        4: write_vector(builder, [unit]),
        5: write_table(builder, ends),
    }
    return write_table(builder, fields)


def _probability(builder: Any, *, labelled: bool) -> int:
    """Write the output's TensorMetadata."""
    fields = {
        0: builder.CreateString("probability"),
        1: builder.CreateString("The probability of each class."),
    }
    if labelled:
        kind = Number("Int8", TENSOR_AXIS_LABELS)
        labels = write_table(builder, {0: builder.CreateString(LABELS), 2: kind})
        fields[6] = write_vector(builder, [labels])
    return write_table(builder, fields)


def _with_files(model: bytes, files: dict[str, bytes]) -> bytes:
    whole = io.BytesIO(model)
    with zipfile.ZipFile(whole, "a", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)  # without the time of day
    return whole.getvalue()


def _files(model: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(model)) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except zipfile.BadZipFile:
        return {}


def _metadata_of(model: bytes) -> Table | None:
    """Return the ModelMetadata in the model's buffers, or None."""
    if model[4:8] != MODEL_IDENTIFIER:
        return None
    root = root_table(model)
    for entry in root.tables(6):
        if entry.content(0) == METADATA_NAME.encode():
            return root_table(root.tables(4)[entry.number(1, "I")].content(0))
    return None


def _normalization(described: Table) -> tuple[float, float]:
    """Return mean and std in the first input's NormalizationOptions."""
    for subgraph in described.tables(3)[:1]:
        for image in subgraph.tables(2)[:1]:
            for unit in image.tables(4):
                options = unit.table(1)
                if unit.number(0, "B") == NORMALIZATION_OPTIONS and options is not None:
                    means, stds = options.numbers(0, "f"), options.numbers(1, "f")
                    return _average(means, 0.0), _average(stds, 1.0)
    return 0.0, 1.0


def _average(values: list[float], default: float) -> float:
    return sum(values) / len(values) if values else default


def _takes_bytes(model: Table) -> bool:
    """Tell whether the model's first input is uint8."""
    subgraph = model.tables(2)[0]
    first: Table = subgraph.tables(0)[subgraph.numbers(1, "i")[0]]
    return first.number(1, "b") == UINT8
