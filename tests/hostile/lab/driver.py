"""Calls the student's functions."""

from __future__ import annotations


def add(program, a, b):
    """The sum, and what became of the two arrays."""
    return {"sum": program.add(a, b), "a": a, "b": b}


def weigh(program, rows, weights):
    return program.weigh(rows, weights)


def follow(program, start, steps):
    return program.follow(start, steps)
