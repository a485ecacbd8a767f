"""The command line, and the composition root of Cattery.

Only here may training and the worker's entry points be imported, each inside the command that
needs it: `cattery --help` loads neither torch nor the web framework.
"""

from app.cli.root import main

__all__ = ["main"]
