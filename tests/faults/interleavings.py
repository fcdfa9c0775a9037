PREFIX = "pair:"
def whole(): return []
