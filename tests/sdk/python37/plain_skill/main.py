"""What the board starts."""

from npukit.session import run_skill

run_skill(__file__)
