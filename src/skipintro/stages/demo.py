"""Stage demo: renders the invented library that stands in where no other source is given.

Reads nothing. Writes `data/demo`: `<split>/labels.json`, `<split>/<id>/<id>.mp4`, and
`manifest.json`, which has the truth where labels and files have planned faults.
"""

import os
from pathlib import Path

from pydantic import Field

from skipintro.core.arithmetic import in_use
from skipintro.core.files import write_json
from skipintro.core.params import StageParams
from skipintro.core.stage import run_stage, stage_output
from skipintro.core.versions import versions
from skipintro.demo.plan import (
    EpisodeForm,
    FaultForm,
    LibraryForm,
    PictureForm,
    SoundForm,
    plan_library,
)
from skipintro.demo.render import manifest, render_library
from skipintro.stages import words

OUT = Path("data/demo")


class Params(StageParams):
    """Section `demo` of `params.yaml`."""

    seed: int = Field(ge=0)
    library: LibraryForm
    episode: EpisodeForm
    picture: PictureForm
    sound: SoundForm
    faults: FaultForm


def main(params: Params) -> None:
    """Plan, render and describe the library."""
    library = plan_library(
        params.seed,
        library=params.library,
        episode=params.episode,
        picture=params.picture,
        sound=params.sound,
        faults=params.faults,
    )
    with stage_output(OUT) as folder:
        render_library(
            folder,
            library,
            picture=params.picture,
            sound=params.sound,
            faults=params.faults,
            lettering_share=params.episode.lettering_share,
            n_workers=os.cpu_count() or 1,
        )
        made_with = versions("av", "numpy", "opencv-python-headless")
        made = manifest(folder, library, in_use(), made_with)
        write_json(folder / "manifest.json", made)
    words.demo(made, OUT)


if __name__ == "__main__":
    run_stage("demo", Params, main)
