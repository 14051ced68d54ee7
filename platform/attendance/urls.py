"""URLs of attendance. Students type the first one."""

from __future__ import annotations

from django.urls import path

from attendance import entry_views, rules_views, views

HERE = "o/<slug:offering>/attendance"
SESSION = f"{HERE}/sessions/<int:pk>"

urlpatterns = [
    path("o/<slug:offering>/here/", views.here, name="here"),
    path("o/<slug:offering>/here/check-in/", views.check_in, name="check-in"),
    path(f"{HERE}/", views.attendance, name="attendance"),
    path(f"{HERE}/sessions/", views.sessions, name="attendance-sessions"),
    path(f"{SESSION}/", views.session, name="attendance-session"),
    path(f"{SESSION}/open/", views.open_check_in, name="check-in-open"),
    path(f"{SESSION}/extend/", views.extend_check_in, name="check-in-extend"),
    path(f"{SESSION}/close/", views.close_check_in, name="check-in-close"),
    path(f"{SESSION}/screen/", views.screen, name="check-in-screen"),
    path(f"{SESSION}/screen/now/", views.screen_now, name="check-in-screen-now"),
    path(f"{SESSION}/leave-out/", entry_views.leave_out, name="session-leave-out"),
    path(f"{SESSION}/put-back/", entry_views.put_back, name="session-put-back"),
    path(f"{HERE}/people/<int:pk>/", entry_views.student, name="attendance-student"),
    path(f"{HERE}/correct/", entry_views.correct, name="attendance-correct"),
    path(f"{HERE}/points/", entry_views.points, name="participation"),
    path(f"{HERE}/record/", entry_views.record, name="attendance-record"),
    path(f"{HERE}/points/give/", entry_views.give, name="participation-give"),
    path(f"{HERE}/points/<int:pk>/withdraw/", entry_views.withdraw, name="participation-withdraw"),
    path(f"{HERE}/rules/", rules_views.rules, name="attendance-rules"),
    path(f"{HERE}/rules/dry-run/", rules_views.preview, name="attendance-rules-dry-run"),
    path(f"{HERE}/rules/save/", rules_views.save, name="attendance-rules-save"),
]
