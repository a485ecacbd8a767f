"""The front end: FastAPI, the serving pool, the command line."""
