RULES = __import__("collections").defaultdict(tuple)
