"""`skipintro serve`: the detector over HTTP, one module a duty."""
