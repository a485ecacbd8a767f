"""`python -m tools.zoo`: what `make zoo` runs."""

from app.cli.root import run
from tools.zoo.cli import zoo_commands

if __name__ == "__main__":
    run(zoo_commands)
