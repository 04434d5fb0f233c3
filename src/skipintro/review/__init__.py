"""Labels in doubt: found, told of with pictures, and judged by a person on a local page."""
