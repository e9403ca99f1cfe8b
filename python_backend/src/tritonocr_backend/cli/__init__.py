"""Define the commands that the server distribution adds to `tritonocr`, one module per command."""
