"""Whether this machine reckons as others do."""
