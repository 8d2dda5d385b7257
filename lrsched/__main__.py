"""``python -m lrsched`` is the command ``lrsched``."""

from lrsched.cli.main import main

if __name__ == "__main__":
    main()
