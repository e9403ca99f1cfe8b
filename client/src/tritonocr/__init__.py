"""TritonOCR client."""
