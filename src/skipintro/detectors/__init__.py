"""From what siblings share to the interval of each episode."""
