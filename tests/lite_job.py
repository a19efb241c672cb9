"""Uses retrain where TensorFlow is not installed: `lite_job.py PHOTOS NEW_FOLDER [--block]`.

`scripts/test_lite` runs this in an environment without it; the suite runs it with --block, which
makes the packages as good as missing.
"""

import importlib
import io
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from os import chdir
from pathlib import Path

# TensorFlow and what only comes with it.
ABSENT = ("tensorflow", "keras", "tf_keras", "tensorflow_hub", "tf2onnx", "h5py")
RETRAIN, LABEL = "retrain.cli.main", "retrain.cli.label_image"

WORK = [
    (RETRAIN, ["PHOTOS", "--summaries_dir", "logs", "--tensorboard_projector"]),
    (LABEL, ["--graph", "output_graph.pb", "--output", "labels.csv", "PHOTOS"]),
    (LABEL, ["--graph", "imagenet", "PHOTO"]),
    (LABEL, ["--graph", "output_graph.pb", "--explain", "why.png", "PHOTO"]),
    (RETRAIN, ["evaluate", "--graph", "output_graph.pb", "--image_dir", "PHOTOS"]),
    (RETRAIN, ["audit", "--image_dir", "PHOTOS"]),
    (RETRAIN, ["inspect", "output_graph.pb"]),
    (RETRAIN, ["modules", "list"]),
]
REFUSED = [
    ["PHOTOS", "--engine", "tensorflow"],
    ["PHOTOS", "--fine_tune", "all"],
    ["PHOTOS", "--hidden_units", "8"],
    ["PHOTOS", "--architecture", "simple_cnn"],
    ["PHOTOS", "--saved_model_dir", "serving"],
    ["PHOTOS", "--tflite_output_file", "a.tflite"],
    ["PHOTOS", "--onnx_output_file", "a.onnx"],
    ["PHOTOS", "--input_size", "96"],  # which the bundled module has to be frozen for
    ["PHOTOS", "--tfhub_module", "http://127.0.0.1:9/module.tar.gz"],
    ["PHOTOS", "--tfhub_module", "google/mobilenet-v2/tensorFlow2/035-128-feature-vector"],
    ["PHOTOS", "--tfhub_module", "resnet50"],
    ["modules", "fetch", "resnet50"],
    ["export", "--graph", "output_graph.pb", "--to", "serving"],
    ["export", "--graph", "output_graph.pb", "--to", "a.tflite"],
    ["export", "--graph", "output_graph.pb", "--to", "a.onnx"],
]


def run(module: str, words: Sequence[str]) -> tuple[object, str]:
    """Runs a command in this process; returns its exit code, and what it wrote."""
    wrote = io.StringIO()
    sys.argv = [module, *words]
    code: object = 0
    with redirect_stdout(wrote), redirect_stderr(wrote):
        try:
            importlib.import_module(module).main()
        except SystemExit as end:
            code = end.code or 0
    return code, wrote.getvalue()


def main(photos: Path, folder: Path) -> None:
    folder.mkdir()
    chdir(folder)
    photo = next(path for path in sorted(photos.rglob("*.*")) if path.suffix in (".jpg", ".png"))
    places = {"PHOTOS": str(photos), "PHOTO": str(photo)}

    def done(module: str, words: Sequence[str], wanted: int) -> str:
        code, wrote = run(module, [places.get(word, word) for word in words])
        print(code, *words)
        if code != wanted:
            sys.exit(f"{words} ended with {code}:\n{wrote}")
        return wrote

    for module, words in WORK:
        done(module, words, 0)
    here = sorted(folder.rglob("*"))
    for words in REFUSED:
        *_, said = done(RETRAIN, words, 1).splitlines()
        if not said.endswith('TensorFlow, which is not installed: pip install "tensorflow>=2.18"'):
            sys.exit(f"{words} said: {said}")
    assert sorted(folder.rglob("*")) == here, "something was written before the refusal"
    for name in ABSENT:
        assert sys.modules.get(name) is None, name


if __name__ == "__main__":
    if "--block" in sys.argv:
        sys.modules.update(dict.fromkeys(ABSENT))  # a None there is a package that is not found
    main(Path(sys.argv[1]).absolute(), Path(sys.argv[2]).absolute())
