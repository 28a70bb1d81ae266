"""INT8 and mixed precision: calibrated, measured, and refused where the floor is missed."""
