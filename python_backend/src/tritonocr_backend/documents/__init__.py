"""From the bytes of an image, TIFF or PDF to pages of pixels."""
