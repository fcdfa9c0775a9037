"""Runs the load client as `python -m deployctl.sandbox.load`."""

import sys

from deployctl.sandbox.load.client import main

if __name__ == "__main__":
    sys.exit(main())
