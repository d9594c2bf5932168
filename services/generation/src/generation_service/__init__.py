"""The generation service: worlds from photos."""
