"""What a platform's refusals mean, as sentences that say what to do."""

from __future__ import annotations

from dataclasses import dataclass

import requests
from pylti1p3.exception import LtiException, LtiServiceException

from lti.models import Platform

# whatever a service of a platform does; the library reads its answers without looking at their types
TROUBLES = (requests.RequestException, LtiException, ValueError, KeyError, TypeError, AttributeError)


@dataclass(frozen=True)
class Trouble:
    """`passes`: trying later may help. `whole`: the other requests of this round would meet the same. `gone`: what was asked for
    is not there."""

    sentence: str
    passes: bool = False
    whole: bool = False
    gone: bool = False


def trouble_of(platform: Platform, error: Exception) -> Trouble:
    """What an error out of `TROUBLES` means."""
    if isinstance(error, LtiServiceException):
        return _by_status(platform, error.response)
    if isinstance(error, requests.TooManyRedirects):
        return Trouble(
            f"{platform} answers from another address than it was registered with. Tell the operator.", whole=True
        )
    if isinstance(error, requests.RequestException):
        return Trouble(f"{platform} could not be reached. We try again by ourselves.", passes=True, whole=True)
    if isinstance(error, LtiException) and "scope" in str(error):
        return Trouble(
            f"{platform} does not let us do this. Its administrator must switch on Assignment and Grade Services for Gradlab, and an "
            "instructor must open Gradlab from the course once more.",
            whole=True,
        )
    return Trouble(f"{platform} gave an answer that we do not understand. Tell the operator.")


def _by_status(platform: Platform, response: requests.Response) -> Trouble:
    status = response.status_code
    if status == 429 or status >= 500:
        return Trouble(
            f"{platform} is busy or has a fault ({status}). We try again by ourselves.", passes=True, whole=True
        )
    if response.url == platform.token_url:
        return Trouble(
            f"{platform} does not accept our key ({status}). The operator must check the registration: client, token URL and our JWKS URL.",
            whole=True,
        )
    if status in {401, 403}:
        return Trouble(
            f"{platform} refuses this ({status}): the course may be concluded or unpublished there, or our permissions were changed.",
        )
    if status == 404:
        return Trouble(
            f"{platform} does not find it (404): the column was deleted there, or the person left the course.",
            gone=True,
        )
    return Trouble(f"{platform} refused the score ({status}): the person may not be a student of its course any more.")
