"""Decode image, TIFF and PDF files into pages of pixels."""
