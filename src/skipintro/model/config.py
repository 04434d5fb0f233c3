"""The head's shape, and the names of its files: what can be read without torch."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from skipintro.episodes.embeddings import EncoderIdentity


class HeadConfig(BaseModel):
    """Everything that is needed to build the head again, and which encoder it was trained on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    length: int = Field(ge=1)  # frames in a window
    dimension: int = Field(ge=1)  # of an embedding
    layers: int = Field(ge=1)
    heads: int = Field(ge=1)
    feedforward: int = Field(ge=1)
    dropout: float = Field(ge=0, lt=1)
    position_std: float = Field(ge=0)
    encoder: EncoderIdentity

    @model_validator(mode="after")
    def _heads_share_the_dimension(self) -> Self:
        if self.dimension % self.heads:
            raise ValueError(f"{self.heads} heads do not divide the dimension {self.dimension}")
        return self
