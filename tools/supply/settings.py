"""Where bills and signatures go, and where the programs are that sign."""

from __future__ import annotations

from tools.devstack.settings import CHECKOUT

FOLDER = CHECKOUT / ".praxiscope" / "supply"  # programs built from Go modules
OUTPUT = CHECKOUT / "out" / "sbom"
LISTING = "images.json"


class SupplyError(Exception):
    """An image cannot be described, signed or trusted; the message says why and what to do."""
