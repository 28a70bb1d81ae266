"""What the board starts."""

from npukit.session import run_skill

if __name__ == "__main__":
    run_skill(__file__)
