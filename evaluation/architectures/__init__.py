"""Published architectures with small random weights: does the audit of a saved directory agree with a plain test?"""
