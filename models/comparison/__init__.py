"""Several recipes on the same data: their trainings, table and page."""
