"""The pool of generators in service, and the batcher that shares their work out."""
