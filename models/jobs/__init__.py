"""Training and import jobs from order to end, whoever runs them."""
