"""Facts that the client, the gateway and the server share; needs the standard library alone.

The package ships with the client, on which the gateway and the server depend. It is not a part of
`tritonocr` because each model instance of the server imports it, and importing `tritonocr` loads gRPC.
"""
