"""What builds, starts, checks and shows the platform on one machine."""
