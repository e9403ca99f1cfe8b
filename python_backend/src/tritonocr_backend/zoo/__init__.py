"""The model zoo: which models exist, and how their files are fetched, imported and cached."""
