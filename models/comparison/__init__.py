"""Several recipes on the same data: their jobs, table and page."""
