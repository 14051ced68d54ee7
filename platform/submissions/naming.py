"""Which rows name stored bytes. Apps above this one have such rows as well, so the settings list the models."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import models


def naming_models() -> list[type[models.Model]]:
    """Every model whose field `sha256` names a stored file."""
    return [apps.get_model(label) for label in settings.FILES_NAMED_BY]


def named_files() -> set[str]:
    """The hashes that some row names: what must be kept, and what a backup must hold."""
    return {sha256 for model in naming_models() for sha256 in _rows(model).values_list("sha256", flat=True)}


def named_files_query() -> str:
    """The same as SQL, for a copy of the database that Django does not know."""
    tables = [model._meta.db_table for model in naming_models()]  # noqa: SLF001 - Django's own name for it
    return " UNION ".join(f"SELECT sha256 FROM {table}" for table in tables)  # noqa: S608 - our own names


def _rows(model: type[models.Model]) -> models.QuerySet[Any]:
    return model._default_manager.order_by()  # noqa: SLF001 - Django's own name for it
