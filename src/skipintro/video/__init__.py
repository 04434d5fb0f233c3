"""From video files to pictures."""
