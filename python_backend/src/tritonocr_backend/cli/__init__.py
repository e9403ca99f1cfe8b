"""Commands that the server distribution adds to `tritonocr`, one module each."""
