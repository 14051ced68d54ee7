# threat: D71
# verdict: rejected
# message: imports torch \(cell 2, line 5\)
def add(a, b):
    import torch

    return torch.add(torch.tensor(a), torch.tensor(b)).numpy()
