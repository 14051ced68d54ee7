"""URLs of LTI: those that platforms know, and those of an offering."""

from __future__ import annotations

from django.urls import path

from lti import views
from lti.launches import views as launches

HERE = "o/<slug:offering>/lti"

urlpatterns = [
    path("lti/jwks/", launches.key_set, name="lti-keys"),
    path("lti/login/", launches.login_start, name="lti-login"),
    path("lti/launch/", launches.launch, name="lti-launch"),
    path("lti/arrived/", launches.arrived, name="lti-arrived"),
    path("lti/courses/<int:pk>/", launches.which_offering, name="lti-which-offering"),
    path(f"{HERE}/", views.platform, name="lti"),
    path(f"{HERE}/<int:pk>/newcomers/", views.admits, name="lti-admits"),
    path(f"{HERE}/<int:pk>/unlink/", views.unlink, name="lti-unlink"),
    path(f"{HERE}/<int:pk>/members/", views.members, name="lti-members"),
    path(f"{HERE}/<int:pk>/members/read/", views.read_members, name="lti-members-read"),
    path(f"{HERE}/<int:pk>/members/ids/", views.keep_ids, name="lti-members-ids"),
    path(f"{HERE}/<int:pk>/members.csv", views.members_file, name="lti-members-file"),
    path(f"{HERE}/<int:pk>/scores/", views.passback, name="lti-scores"),
    path(f"{HERE}/<int:pk>/scores/send/", views.send, name="lti-scores-send"),
]
