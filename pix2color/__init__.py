"""Colour for black-and-white photographs, and training of one's own colourizer."""

__version__ = "0.1.0"
