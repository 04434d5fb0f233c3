"""From embeddings to the one interval of an episode that a player may skip."""
