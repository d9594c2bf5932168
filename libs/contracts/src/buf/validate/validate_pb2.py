"""The descriptors of `buf/validate/validate.proto`, taken from the protovalidate package that checks our messages.

Generated contracts import this module by name. The protovalidate wheel carries the file's descriptor but no module for google.protobuf, and the file itself
is not ours to commit, so it is registered from the wheel: rules and checker are then of one version by construction.
"""

import sys

from google.protobuf import descriptor_pool, duration_pb2, field_mask_pb2, timestamp_pb2  # noqa: F401  the file's imports
from google.protobuf import descriptor_pb2  # noqa: F401  likewise
from google.protobuf.internal import builder
from protovalidate._gen.buf.validate import validate_pb

DESCRIPTOR = descriptor_pool.Default().AddSerializedFile(validate_pb.desc().proto.to_binary())
builder.BuildMessageAndEnumDescriptors(DESCRIPTOR, globals())
builder.BuildTopDescriptorsAndMessages(DESCRIPTOR, "buf.validate.validate_pb2", globals())

assert DESCRIPTOR.name == "buf/validate/validate.proto", DESCRIPTOR.name  # noqa: S101  a wheel that moved the file must fail here
sys.modules.setdefault("buf.validate.validate_pb2", sys.modules[__name__])
