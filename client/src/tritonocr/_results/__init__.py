"""Results: the records of pages, and the forms that they are written in."""
