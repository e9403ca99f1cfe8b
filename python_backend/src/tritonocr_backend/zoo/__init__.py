"""The models: which there are, where their weights are had, and how a repository is built from them."""
