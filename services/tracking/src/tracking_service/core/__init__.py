"""Domain of tracking: pure functions and per-stream state; no gRPC, no I/O, no clock."""
