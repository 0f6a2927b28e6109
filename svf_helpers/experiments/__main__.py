"""``python -m svf_helpers.experiments``: list, run and check the stored results."""

import sys

from svf_helpers.experiments.cli import main

if __name__ == "__main__":
    sys.exit(main())
