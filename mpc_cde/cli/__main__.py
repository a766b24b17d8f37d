"""`python -m mpc_cde.cli`: the same as the console script."""

from mpc_cde.cli.app import main

if __name__ == "__main__":
    main()
