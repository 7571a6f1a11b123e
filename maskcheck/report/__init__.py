"""Report -> text. Pure functions: nothing here prints, reads the environment or looks at the terminal.

``registry.REPORTERS`` knows them all. This module imports none of them, so that pages of rules are shown without numpy.
"""
