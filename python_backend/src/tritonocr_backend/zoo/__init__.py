"""List, fetch, import and cache OCR models."""
