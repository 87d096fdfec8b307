def check(world):
    return None
