"""`python -m npukit_cli`."""

from npukit_cli.main import main

main()
