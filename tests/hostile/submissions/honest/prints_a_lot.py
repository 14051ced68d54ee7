# honest: prints, but no more than it may
def add(a, b):
    for row in range(200):
        print(f"row {row}:", a[row % 4], "and", "ünïcödé ✓")
    return a + b
