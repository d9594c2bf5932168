"""Signatures made and checked by cosign, and a registry. `make test-signing` runs these, and nothing else does.

Without its variable nothing here is even collected.
"""

import os

collect_ignore_glob = [] if os.environ.get("PRAXISCOPE_TEST_SIGNING") else ["test_*"]
