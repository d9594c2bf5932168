#!/usr/bin/env bash
# Says whether generated code is what the contracts make, and whether the contracts still serve those who use the ones of main.
set -euo pipefail
cd "$(dirname "$0")/../.."
generated=(libs/contracts/src/praxiscope services/gateway/gen services/gateway/internal/docs/praxiscope.swagger.json)
sum() { find "${generated[@]}" -type f -not -name '*.pyc' | sort | xargs sha256sum | sha256sum; }
before=$(sum)
bash tools/contracts/generate.sh
if [ "$before" != "$(sum)" ]; then
  echo "Generated code is not what protos/ make; it has been made anew: look at it and commit it." >&2
  exit 1
fi
base=$(git rev-parse --verify --quiet origin/main || git rev-parse --verify --quiet HEAD~1 || true)
if [ -n "$base" ] && git cat-file -e "$base:protos" 2>/dev/null; then
  old=$(mktemp -d)
  trap 'rm -rf "$old"' EXIT
  git archive "$base" protos buf.yaml | tar -x -C "$old"
  cp -r third_party "$old/third_party"
  # The contracts are v1 in name and not yet released: what breaks is said, and decided by whoever reviews it.
  .venv/bin/buf breaking protos --against "$old/protos" --config buf.yaml || [ ! -e protos/released ]
fi
