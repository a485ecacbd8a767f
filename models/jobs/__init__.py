"""Training and import jobs from order to end, whether a worker or the CLI runs them."""
