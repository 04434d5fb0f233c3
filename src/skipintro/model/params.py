"""The section `window` of params.yaml. Apart, since a registered model reads no params."""

from typing import Literal

from pydantic import Field

from skipintro.core.params import StageParams


class WindowParams(StageParams):
    """Section `window` of params.yaml."""

    length: int = Field(ge=1)
    stride: int = Field(ge=1)
    train_frames: Literal["balanced", "whole"]
