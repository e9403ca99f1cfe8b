"""One module per format. Its `write` turns the pages of a file into pieces of text as the pages come."""
