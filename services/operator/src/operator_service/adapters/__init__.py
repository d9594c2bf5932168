"""The API server, the registry of models, and what is made of decisions."""
