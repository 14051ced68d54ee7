"""All of ours that enters a sandbox: standard library and numpy only, nothing secret, no expected values.

It also goes into student releases, where the same program loader runs in-process.
"""
