"""What two episodes share, by evidence of any kind, on one axis of time."""
