"""The first week of CUDA, in Triton: vectors, transposes and banks, reductions, scans, histograms."""

from __future__ import annotations
