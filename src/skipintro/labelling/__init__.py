"""Labels from files beside videos or in them, and the dealing of series to train and test."""
