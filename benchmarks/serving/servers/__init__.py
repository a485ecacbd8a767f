"""The contenders' servers, each as its framework's documentation advises, and what they share."""
