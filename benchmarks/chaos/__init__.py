"""Random kills and faults of a whole Cattery that trains."""
