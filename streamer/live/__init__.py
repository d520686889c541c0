"""Cameras: live streams become segments, gaps and reports while cameras come, go and fall behind."""
