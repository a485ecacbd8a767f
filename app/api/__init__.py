"""What the front end answers, one module per noun."""
