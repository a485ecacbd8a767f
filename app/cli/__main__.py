"""`python -m app.cli` is `cattery`: how the supervisor starts its worker."""

from app.cli.root import main

if __name__ == "__main__":
    main()
