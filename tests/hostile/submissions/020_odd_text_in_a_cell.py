# threat: A20
# verdict: passed
# The cell fails as it is loaded; what it says goes into the notes.
raise ValueError("\0 \ud83d \u202e \x1b[31m")
