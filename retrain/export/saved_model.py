"""An exported frozen graph as a SavedModel with the ancestor's signature. Needs TensorFlow."""

import os
from pathlib import Path

from retrain.backbones.tensorflow import import_tensorflow
from retrain.errors import UsageFault
from retrain.files import check_folder_can_be_written, temporary_name
from retrain.manifest import Manifest


def check_saved_model_dir(folder: Path) -> None:
    """Raises unless the folder is absent or empty and can be made."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageFault(
            f"--saved_model_dir {folder.absolute()} is not empty: name a new folder, "
            "nothing is overwritten"
        )
    check_folder_can_be_written(folder.absolute().parent, "--saved_model_dir")


def write_saved_model(graph: bytes, manifest: Manifest, folder: Path) -> None:
    """Signature `serving_default`: `image` [n, H, W, 3] in [0, 1] to `prediction` [n, C]."""
    tf = import_tensorflow()
    definition = tf.compat.v1.GraphDef.FromString(graph)
    names = [f"{manifest.input_node}:0", f"{manifest.output_node}:0"]
    temporary = temporary_name(folder.absolute())
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        image, prediction = tf.graph_util.import_graph_def(
            definition, return_elements=names, name=""
        )
        signature = tf.compat.v1.saved_model.predict_signature_def(
            {"image": image}, {"prediction": prediction}
        )
        builder = tf.compat.v1.saved_model.Builder(str(temporary))
        builder.add_meta_graph_and_variables(
            session, ["serve"], signature_def_map={"serving_default": signature}
        )
        builder.save()
    os.replace(temporary, folder)
