"""The embedded tritonserver: start, options, ports, supervision, shared memory and model control."""
