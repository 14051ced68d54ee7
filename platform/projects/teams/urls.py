"""URLs of teams: a student's project, the board, and the staff's pages."""

from __future__ import annotations

from django.urls import path

from projects.teams import staff_views, views

PROJECT = "o/<slug:offering>/project"
TEAM, BOARD, STAFF = f"{PROJECT}/team", f"{PROJECT}/board", "o/<slug:offering>/teams"

urlpatterns = [
    path(f"{PROJECT}/", views.project, name="project"),
    path(f"{TEAM}/create/", views.create, name="team-create"),
    path(f"{TEAM}/edit/", views.edit, name="team-edit"),
    path(f"{TEAM}/leave/", views.leave, name="team-leave"),
    path(f"{TEAM}/invite/", views.invite, name="team-invite"),
    path(f"{TEAM}/seen/", views.seen, name="team-notices-seen"),
    path(f"{TEAM}/invitations/<int:pk>/accept/", views.accept, name="team-invitation-accept"),
    path(f"{TEAM}/invitations/<int:pk>/decline/", views.decline, name="team-invitation-decline"),
    path(f"{TEAM}/invitations/<int:pk>/withdraw/", views.withdraw, name="team-invitation-withdraw"),
    path(f"{BOARD}/", views.board, name="team-board"),
    path(f"{BOARD}/post/", views.post, name="team-board-post"),
    path(f"{BOARD}/post/remove/", views.unpost, name="team-board-remove"),
    path(f"{BOARD}/teams/<int:pk>/ask/", views.ask, name="team-ask"),
    path(f"{BOARD}/people/<int:pk>/invite/", views.invite_classmate, name="team-invite-classmate"),
    path(f"{STAFF}/", staff_views.teams, name="teams"),
    path(f"{STAFF}/arrange/", staff_views.arrange, name="teams-arrange"),
    path(f"{STAFF}/apply/", staff_views.apply, name="teams-apply"),
    path(f"{STAFF}/teams.csv", staff_views.file, name="teams-file"),
    path(f"{STAFF}/import/", staff_views.import_file, name="teams-import"),
    path(f"{STAFF}/rules/", staff_views.rules, name="team-rules"),
    path(f"{STAFF}/<int:pk>/", staff_views.team, name="team"),
    path(f"{STAFF}/<int:pk>/edit/", staff_views.edit, name="team-staff-edit"),
    path(f"{STAFF}/<int:pk>/size/", staff_views.except_size, name="team-size"),
    path(f"{STAFF}/<int:pk>/disband/", staff_views.disband, name="team-disband"),
]
