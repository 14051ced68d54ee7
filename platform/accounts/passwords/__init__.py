"""Setting a password by a link that is mailed: for people whom a roster added, and for those who forgot theirs."""

from __future__ import annotations
