"""Captions and keywords of pictures, written beside them for other programs."""
