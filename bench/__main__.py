"""`python -m bench`."""

import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    # The current folder, which Python puts first: files of the user's there would take the place of Python's own.
    sys.path.append(sys.path.pop(0))

from bench.cli.app import main

if __name__ == "__main__":
    main()
