"""Generation, as gRPC sees it."""
