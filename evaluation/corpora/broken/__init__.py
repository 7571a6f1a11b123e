"""Sound models broken on purpose, by program, one thing or two at a time: does the audit find what was broken?"""
