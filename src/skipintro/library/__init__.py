"""A detector at work on a library of videos: walking it, remembering, refining, telling."""
