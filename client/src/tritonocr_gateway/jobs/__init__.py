"""Jobs: documents that are read in the background, with a store that survives a restart."""
