"""Sets a machine up, without root: environments, the gateway, models, samples."""
