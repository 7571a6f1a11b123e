"""From a leaking pair of calls to the sites where padding gets in: align, compare, find origins, confirm them by
patching.
"""
