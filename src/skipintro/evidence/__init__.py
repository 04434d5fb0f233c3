"""What is known of an episode: one module a kind, each an array over time with its own rate."""
