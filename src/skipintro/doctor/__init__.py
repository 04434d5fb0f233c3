"""Whether this machine computes what others do."""
