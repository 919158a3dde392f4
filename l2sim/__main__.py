"""`python -m l2sim`: the command line where the script is not on the path."""

from l2sim.cli.main import main

if __name__ == "__main__":
    main()
