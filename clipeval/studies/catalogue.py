"""The studies that clipeval brings."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from clipeval.errors import ClipevalError, near
from clipeval.studies.preset import Preset, read_preset


@cache
def presets() -> tuple[Preset, ...]:
    """Read all presets, in the order of the studies.

    Examples
    --------
    >>> [preset.number for preset in presets()]
    ['S1', 'S2', 'S3', 'S4', 'S5']
    """
    found = (file for file in files("clipeval.studies").joinpath("presets").iterdir())
    read = [
        read_preset(file.read_text(encoding="utf-8"), name=file.name.removesuffix(".toml"))
        for file in found
        if file.name.endswith(".toml")
    ]
    return tuple(sorted(read, key=lambda preset: preset.number))


def find_preset(name: str) -> Preset:
    """Find a study by its name or its number.

    Parameters
    ----------
    name : str
        Such as ``resnet50-minilm`` or ``S5``.

    Returns
    -------
    Preset

    Raises
    ------
    ClipevalError
        There is none (near matches named).

    Examples
    --------
    >>> find_preset("s5").name
    'resnet50-minilm'
    """
    for preset in presets():
        if name.lower() in {preset.name, preset.number.lower()}:
            return preset
    names = [preset.name for preset in presets()]
    raise ClipevalError(f"there is no study '{name}'", where="--study", fix=near(name, names))
