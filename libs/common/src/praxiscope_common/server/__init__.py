"""How a gRPC server of ours is built, what every call passes on its way in, and how it stops."""
