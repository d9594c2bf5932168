#!/usr/bin/env bash
# Generates libs/contracts from protos/. Third-party protos come from installed packages into third_party/, which is not committed.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=$PWD/.venv/bin/python
export PATH="$PWD/.venv/bin:$PATH"

site=$($python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
rm -rf third_party
mkdir -p third_party/google/{api,rpc,longrunning} third_party/buf/validate
cp "$site"/google/api/{annotations,http,httpbody,field_behavior,resource,client,launch_stage}.proto third_party/google/api/
cp "$site"/google/rpc/{status,error_details,code}.proto third_party/google/rpc/
# The package names this file after its Python module; its real path is the one its descriptor carries.
cp "$site"/google/longrunning/operations_proto.proto third_party/google/longrunning/operations.proto
module=$(cd tools/contracts && GOFLAGS=-mod=mod go list -m -f '{{.Dir}}' github.com/bufbuild/protovalidate)
[ -n "$module" ] || module=$(cd tools/contracts && go mod download -json github.com/bufbuild/protovalidate | $python -c 'import json,sys; print(json.load(sys.stdin)["Dir"])')
install -m 644 "$module/proto/protovalidate/buf/validate/validate.proto" third_party/buf/validate/validate.proto

buf format --exit-code --diff protos
buf lint
image=$(mktemp)
trap 'rm -f "$image"' EXIT
buf build --as-file-descriptor-set -o "$image"

output=libs/contracts/src
find "$output/praxiscope" -name '*_pb2*' -delete 2>/dev/null || true
mkdir -p "$output"
(cd protos && find praxiscope -name '*.proto' | sort) | xargs $python -m grpc_tools.protoc --descriptor_set_in="$image" \
  --python_out="$output" --pyi_out="$output" --grpc_python_out="$output"
# A service-less file gets an empty *_pb2_grpc.py; it says nothing.
grep -rL 'def add_.*_to_server' "$output/praxiscope" --include='*_pb2_grpc.py' | xargs -r rm

# The gateway's Go code and the OpenAPI document; plugins and runtime are of the versions in services/gateway/go.mod.
(cd services/gateway && GOBIN="$PWD/../../bin" go install tool)
rm -rf services/gateway/gen
buf generate --template tools/contracts/buf.gen.go.yaml
