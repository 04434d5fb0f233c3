"""Labels in doubt: found, shown with pictures, and judged by a person on a local page."""
