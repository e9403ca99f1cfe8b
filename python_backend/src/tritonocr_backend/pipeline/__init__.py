"""The OCR steps as pure functions on arrays, and the order in which they run."""
