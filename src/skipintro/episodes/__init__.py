"""What comes in: the videos, their labels and corrections, and the embeddings made of them."""
