"""How services find an asset's bytes in the store and hand over what they made; the one client of the library's MediaService."""

from praxiscope_assets._files import AssetFile, AssetFiles
from praxiscope_assets._outputs import OutputFolder
from praxiscope_assets._pieces import chunks_of_file, pieces_from_thread

__all__ = ["AssetFile", "AssetFiles", "OutputFolder", "chunks_of_file", "pieces_from_thread"]
