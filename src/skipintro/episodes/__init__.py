"""What comes in: a catalogue of the videos, their labels and corrections, and the embeddings."""
