"""`manage.py web`: the site, by uvicorn, once the checks of the settings have passed."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from config.service import ServiceCommand


class Command(ServiceCommand):
    """Becomes the web server. A wrong setting ends it here: uvicorn would start a failing worker again and again."""

    help = "Run the web server."

    def add_arguments(self, parser: CommandParser) -> None:
        """Where to listen, with how many processes, and whether a proxy stands in front."""
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--workers", type=int, default=1, help="processes (default 1)")
        parser.add_argument(
            "--grace", type=int, default=10, help="seconds that open requests get at the end (default 10)"
        )
        parser.add_argument(
            "--behind-proxy", action="store_true", help="believe the proxy's headers; it alone may reach this port"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Turn into uvicorn."""
        root = Path(settings.BASE_DIR)
        path = [str(root / "platform"), str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
        os.environ["PYTHONPATH"] = os.pathsep.join(path)
        proxy = ["--proxy-headers", "--forwarded-allow-ips=*"] if options["behind_proxy"] else []
        server = [
            *("-m", "uvicorn", "config.asgi:application", "--lifespan=off", "--no-access-log"),
            *(f"--host={options['host']}", f"--port={options['port']}", f"--workers={options['workers']}"),
            *(f"--timeout-graceful-shutdown={options['grace']}", *proxy),
        ]
        os.execv(sys.executable, [sys.executable, *server])  # noqa: S606 - our own command line, no shell
