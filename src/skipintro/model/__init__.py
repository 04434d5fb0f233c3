"""The head: its windows, its architecture, its training and its figures a frame."""
