"""The exported classifier of an ONNX module: backbone, head and manifest in one ONNX file."""

from pathlib import Path
from typing import Any

from retrain.artifacts.manifest import NODE as MANIFEST_KEY
from retrain.artifacts.manifest import Manifest, manifest_text
from retrain.artifacts.onnx import SUFFIX, add_constant, add_node, import_onnx
from retrain.backbones.backbone import FEATURE_NODE
from retrain.errors import UsageFault
from retrain.export.config import ExportConfig
from retrain.training.head import Head


def check_onnx_outputs(module: str, output_graph: Path, wanted: ExportConfig) -> None:
    """Raise UsageFault for outputs that cannot be made of an ONNX module."""
    if output_graph.suffix.lower() != SUFFIX:
        raise UsageFault(
            f"an ONNX module makes an ONNX classifier, not {output_graph.name}: "
            f"give --output_graph {output_graph.with_suffix(SUFFIX)}"
        )
    for target in wanted.targets():
        raise UsageFault(
            f"no other format can be made of the ONNX module {module}, whose classifier is an ONNX "
            f"file already: leave out {target.flag}, or give the module as a SavedModel or Keras "
            "file"
        )


def onnx_bytes(backbone: Any, head: Head, manifest: Manifest) -> bytes:
    """Return an ONNX file from pixels `Placeholder` [n, H, W, 3] in [0, 1] to probabilities [n, C].

    `backbone`: a frozen ONNX model with FEATURE_NODE. The output has the manifest's name, and the
    manifest is in the metadata.
    """
    onnx = import_onnx()
    model = onnx.ModelProto()
    model.CopyFrom(backbone)
    weights = add_constant(model, "final_retrain_ops/weights", head.weights)
    biases = add_constant(model, "final_retrain_ops/biases", head.biases)
    product = add_node(model, "MatMul", [FEATURE_NODE, weights], output="final_retrain_ops/product")
    logits = add_node(model, "Add", [product, biases], output="final_retrain_ops/logits")
    add_node(model, "Softmax", [logits], output=manifest.output_node, axis=1)
    del model.graph.output[:]
    model.graph.output.append(
        onnx.helper.make_tensor_value_info(
            manifest.output_node, onnx.TensorProto.FLOAT, ["n", len(manifest.labels)]
        )
    )
    onnx.helper.set_model_props(model, {MANIFEST_KEY: manifest_text(manifest)})
    content: bytes = model.SerializeToString(deterministic=True)
    return content
