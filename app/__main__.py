"""`python -m app` is `allot`."""

from .cli import main

main()
