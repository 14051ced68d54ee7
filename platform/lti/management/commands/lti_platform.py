"""`manage.py lti_platform add Canvas --issuer … --client …`: which platforms may open us is the operator's to say."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.urls import reverse

from audit.services import record
from lti.models import Deployment, Platform

URLS = ("auth_url", "token_url", "jwks_url")


class Command(BaseCommand):
    """Registers a platform, changes one, switches it off and on, lists all, and says what the platform's administrator must enter."""

    help = "Register a platform for LTI 1.3, or list what is registered and what to enter there."

    def add_arguments(self, parser: CommandParser) -> None:
        """`add` registers or changes by issuer and client; `off` and `on` by issuer and client; `list` needs nothing."""
        acts = parser.add_subparsers(dest="act", required=True)
        acts.add_parser("list", help="what is registered, and our own addresses")
        add = acts.add_parser("add", help="register a platform; the same issuer and client again changes it")
        add.add_argument("name", help="as instructors read it, such as Canvas")
        for name in ("auth-url", "token-url", "jwks-url"):
            add.add_argument(f"--{name}", required=True)
        add.add_argument("--audience", default="", help="of token requests, where it is not the token URL")
        add.add_argument(
            "--deployment",
            action="append",
            required=True,
            help="a deployment's id; may stand several times, and earlier ones stay",
        )
        for parsed in (
            add,
            acts.add_parser("off", help="refuse launches"),
            acts.add_parser("on", help="admit them again"),
        ):
            parsed.add_argument("--issuer", required=True)
            parsed.add_argument("--client", required=True, help="the client id that the platform gave to us")

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        """One act."""
        if options["act"] == "add":
            self._add(options)
        elif options["act"] != "list":
            self._switch(options, active=options["act"] == "on")
        for platform in Platform.objects.prefetch_related("deployments"):
            ids = ", ".join(row.deployment_id for row in platform.deployments.all())
            state = "" if platform.active else " (off)"
            self.stdout.write(
                f"{platform}{state}: issuer {platform.issuer}, client {platform.client_id}, deployments {ids}"
            )
        for what, name in (
            ("JWKS", "lti-keys"),
            ("OpenID login", "lti-login"),
            ("redirect and target link", "lti-launch"),
        ):
            self.stdout.write(f"  our {what} URL: {settings.SITE_URL}{reverse(name)}")

    def _add(self, options: dict[str, Any]) -> None:
        for name in URLS:
            self._check(name, options[name])
        values = {name: options[name] for name in (*URLS, "name", "audience")}
        platform, made = Platform.objects.update_or_create(
            issuer=options["issuer"], client_id=options["client"], defaults=values | {"active": True}
        )
        for deployment_id in options["deployment"]:
            Deployment.objects.get_or_create(platform=platform, deployment_id=deployment_id)
        self._record(platform, "registered a platform" if made else "changed a platform")

    def _switch(self, options: dict[str, Any], *, active: bool) -> None:
        platform = Platform.objects.filter(issuer=options["issuer"], client_id=options["client"]).first()
        if platform is None:
            raise CommandError("No platform with this issuer and client is registered.")
        Platform.objects.filter(pk=platform.pk).update(active=active)
        self._record(platform, "switched a platform " + ("on" if active else "off"))

    def _check(self, name: str, url: str) -> None:
        """Tokens and keys travel to these addresses."""
        schemes = {"https", "http"} if settings.DEMO or settings.DEBUG else {"https"}
        if urlsplit(url).scheme not in schemes or not urlsplit(url).netloc:
            raise CommandError(f"--{name.replace('_', '-')} must start with https://, not {url!r}.")

    def _record(self, platform: Platform, action: str) -> None:
        record(actor=None, action=action, subject=platform, offering_id=None, after=f"{platform}, {platform.issuer}")
