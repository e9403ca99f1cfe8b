"""The benchmark: TritonOCR, its peers and the networks alone, by turns on one machine.

`python -m bench --help`, with `tests` on the path; `make bench` does that.
"""
