#!/usr/bin/env bash
# As CI would run it: train on folders of photos, label a folder, count the labels in Python.
#
#     examples/count_labels.sh [PHOTOS] [FOLDER]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
photos=${1:-$here/flowers}
folder=${2:-$photos}

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

retrain --image_dir "$photos" --summaries_dir '' --no-report \
    --output_graph "$out/graph.pb" --output_labels "$out/labels.txt" >&2 &&
    label-image --graph "$out/graph.pb" --format csv "$folder" | python3 -c '
import collections, csv, sys

rows = list(csv.DictReader(sys.stdin))
for label, count in collections.Counter(row["label"] for row in rows).most_common():
    print(label, count)
print("of", len(rows), "photos")
'
