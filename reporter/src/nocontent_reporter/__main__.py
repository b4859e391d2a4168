"""`python -m nocontent_reporter`: the command `nocontent-reporter`."""

import sys

from nocontent_reporter.cli import main

if __name__ == "__main__":
    sys.exit(main())
