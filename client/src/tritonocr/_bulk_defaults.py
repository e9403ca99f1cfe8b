"""Defaults of bulk reading, apart from it so that the command line can tell them without loading Ray."""

FILES_PER_PART = 64
FILES_IN_FLIGHT = 8
READERS_PER_SERVER = 2
PATIENCE_S = 600.0
