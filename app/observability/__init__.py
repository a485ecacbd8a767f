"""Metrics of a front end."""
