"""Finds the intro of TV episodes: from raw video and label files to a registered detector."""
