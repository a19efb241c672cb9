#!/usr/bin/env bash
# As CI would run it: train on a folder of photos, label one photo, fail if the answer is wrong.
#
#     examples/train_and_check.sh [PHOTOS] [PHOTO] [EXPECTED]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
photos=${1:-$here/flowers}
photo=${2:-$here/flowers/sunflowers/14121915990_4b76718077_m.jpg}
expected=${3:-$(basename "$(dirname "$photo")")}

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

retrain --image_dir "$photos" --summaries_dir '' \
    --output_graph "$out/graph.pb" --output_labels "$out/labels.txt"
answer=$(label-image --graph "$out/graph.pb" --top_k 1 "$photo")
echo "$photo: $answer"
[[ $answer == "$expected (score="* ]] || {
    echo "expected $expected" >&2
    exit 1
}
