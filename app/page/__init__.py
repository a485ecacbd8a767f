"""The web page: its files, and how they are served. README.md says how its modules are made."""
