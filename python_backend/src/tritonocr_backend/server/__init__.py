"""Start, configure, supervise and stop tritonserver, and control the models of a running tritonserver."""
