"""Commands that print figures: `python -m benchmarks.NAME`. None of them is a test."""
