"""Connections to Redis. Nothing that must last lives there, so every caller goes on when it is away."""

from __future__ import annotations

from functools import cache

import redis
import redis.asyncio
from django.conf import settings

Unavailable = redis.RedisError


@cache
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2, health_check_interval=25)


def client() -> redis.Redis | None:
    """The process's client, or nothing when the installation has no Redis."""
    return _client(settings.REDIS_URL) if settings.REDIS_URL else None


def async_client() -> redis.asyncio.Redis | None:
    """A new client for one event stream; the caller closes it."""
    return redis.asyncio.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=2) if settings.REDIS_URL else None
