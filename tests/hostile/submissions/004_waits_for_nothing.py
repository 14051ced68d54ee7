# threat: A4
# verdict: time limit
# check: follows
# message: of 2.5 s \(wall clock\)
import select


def follow(start, steps):
    select.select([], [], [])
