"""Training on many devices. Every algorithm is written against one communicator, which has two backends.

Read `communication` first; then the ways to split work: data, tensor, pipeline, sharded states, sequence, experts.
"""
