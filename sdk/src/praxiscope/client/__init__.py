"""Praxiscope's Python client: `Client` for scripts, `AsyncClient` for programs that use asyncio. Both do the same.

from praxiscope.client import Client

with Client() as praxiscope:
video = praxiscope.upload("squat.mp4")
result = praxiscope.wait(praxiscope.analyze_motion(video.latest_version, height_m=1.72))
praxiscope.download_all(result.motion.asset_version, "out")
"""

from praxiscope.client._async import AsyncClient
from praxiscope.client._errors import PraxiscopeError, TransportError
from praxiscope.client._profile import Profile, ProfileError, read_profile
from praxiscope.client._progress import Progress, StageProgress
from praxiscope.client._sync import Client

__all__ = [
    "AsyncClient",
    "Client",
    "PraxiscopeError",
    "Profile",
    "ProfileError",
    "Progress",
    "StageProgress",
    "TransportError",
    "read_profile",
]
