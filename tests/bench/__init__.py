"""The benchmark: it measures TritonOCR, its peers and the networks alone, alternately on one machine.

`python -m bench --help`, with `tests` on the path; `make bench` does that.
"""
