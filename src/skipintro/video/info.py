"""The facts of a video, and the limits within which it is decoded."""

from pydantic import BaseModel, ConfigDict, Field


class DecodingLimits(BaseModel):
    """Section `ingest.decoding` of params.yaml: beyond them a video is set aside."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    stall_s: float = Field(gt=0)  # without any progress
    memory_mb: int = Field(gt=0)  # of the process that decodes; enforced on Linux alone
    max_length_h: float = Field(gt=0)

    @property
    def max_length_s(self) -> float:
        """The longest video."""
        return self.max_length_h * 3600


# Those of params.yaml, for commands that work outside a checkout.
USUAL_LIMITS = DecodingLimits(stall_s=60, memory_mb=4000, max_length_h=24)


class VideoInfo(BaseModel):
    """The facts from decoding a whole file; its pictures are those at t = 0 … n_seconds - 1 s."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    duration_s: float
    n_seconds: int
    n_frames: int
    fps: float
    width: int  # pixels, as displayed: upright and with square pixels
    height: int
    codec: str
