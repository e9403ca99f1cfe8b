"""Defaults of bulk reading, in their own module so that the command line need not load Ray for its help."""

FILES_PER_PART = 64
FILES_IN_FLIGHT = 8
READERS_PER_SERVER = 2
PATIENCE_S = 600.0
