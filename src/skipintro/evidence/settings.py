"""The settings of all kinds of fingerprints; decodes nothing."""

from collections.abc import Collection

from pydantic import BaseModel, ConfigDict, Field

from skipintro.evidence.chroma import ChromaSettings
from skipintro.evidence.pictures import PictureSettings
from skipintro.evidence.sound import SoundSettings


class FingerprintSettings(BaseModel):
    """How a video is recorded: the settings of each kind."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pictures: PictureSettings
    sound: SoundSettings
    # None: not recorded. Left out where it is, so that settings are written, and hashed, as before.
    chroma: ChromaSettings | None = Field(default=None, exclude_if=lambda value: value is None)

    def needed_by(self, kinds: Collection[str]) -> "FingerprintSettings":
        """Return the settings without those of `chroma`, where no kind of that name is needed."""
        return self if "chroma" in kinds else self.model_copy(update={"chroma": None})
