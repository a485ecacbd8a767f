"""The pool of generators in service, and the batcher of their work."""
