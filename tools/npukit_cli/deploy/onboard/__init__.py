"""What runs on a board: Python 3.7, standard library only, packed as one zipapp by the host."""
