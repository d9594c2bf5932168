"""Domain of generation: pictures, cameras and points in, a world out; no gRPC, no I/O, no clock."""
