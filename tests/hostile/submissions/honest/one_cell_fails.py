# honest: a plot that cannot be drawn here stops its own cell only
def add(a, b):
    return a + b


import matplotlib.pyplot as plt

plt.plot([1, 2, 3])
