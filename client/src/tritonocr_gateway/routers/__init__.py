"""Routes that belong to no OCR protocol: health, metrics, models, options and the web page."""
