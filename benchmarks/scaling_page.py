def write(table, path):
    pass
