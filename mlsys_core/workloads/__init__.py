"""What machines are asked to do: models, exact counts of their work, and where that work meets the limits of a device.

Read in this order: `text`, `gpt` and its twin `gpt_numpy` (the model), `operations` and `accounting` (what it costs), `devices` and
`roofline` (what that takes at least), `dit`, `resnet`, `dlrm` and `catalogue` (other workloads beside it), `train`, `curriculum`,
`scaling` and `ladder` (what one trains, and how large).
"""
