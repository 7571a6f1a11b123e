"""Exported programs (.pt2) read as data: each part is held to a list of what may stand there, then all put together.

``torch.export.load`` never sees a file that nobody vouched for.
"""
