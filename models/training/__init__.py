"""The training loop and its parts, for one process or several; knows no jobs and no store."""
