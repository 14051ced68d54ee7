# threat: A18
# verdict: output limit | time limit
# output: cut: [0-9,]+ more bytes
def add(a, b):
    while True:
        print("and so on" * 1000)
