#!/usr/bin/env bash
# Labels every photo below a folder in one process and counts the answers.
#
#     examples/label_folder.sh GRAPH FOLDER
set -euo pipefail
graph=$1
folder=$2

label-image --graph "$graph" --top_k 1 --format tsv "$folder" |
    tail -n +2 | cut -f 2 | sort | uniq -c | sort -rn
