"""``python -m clipeval`` is the console script."""

from clipeval.cli import main

main()
