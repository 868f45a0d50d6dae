"""Components in the formats of other libraries: `adapters` (AdapterHub) and PEFT.

A format writes the components of one language or task into a folder, as the other library would have saved them, and
reads such a folder. Nothing is unpickled: weights are safetensors, or tensors that torch reads with `weights_only`.
"""

from modules.formats import adapters_library, peft_library
from modules.formats.adapters_library import AdaptersFormat
from modules.formats.base import Format, Part, Parts
from modules.formats.peft_library import PeftFormat

FORMATS: dict[str, Format] = {"adapters": AdaptersFormat(), "peft": PeftFormat()}

WEIGHT_FILES = tuple((library.SAFE, library.PICKLED) for library in (adapters_library, peft_library))
"""The files of weights that each library may have saved, the preferred one first."""

__all__ = ["FORMATS", "WEIGHT_FILES", "Format", "Part", "Parts"]
