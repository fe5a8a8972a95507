"""`rowloom` and `python -m rowloom`: the shell."""

from rowloom.cli import main

if __name__ == "__main__":
    main()
