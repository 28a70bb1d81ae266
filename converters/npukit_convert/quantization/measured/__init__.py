"""Figures of a quantised network: layers, speed, time on a board."""
