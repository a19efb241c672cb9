#!/usr/bin/env bash
# Labels every photo of a folder in one process and counts the answers.
#
#     examples/label_folder.sh GRAPH FOLDER
set -euo pipefail
graph=$1
folder=$2

label-image --graph "$graph" --top_k 1 "$folder"/*.jpg |
    sed -n 's/ (score=[0-9.]*)$//p' | sort | uniq -c | sort -rn
