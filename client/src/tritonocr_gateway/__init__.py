"""REST gateway of TritonOCR."""
