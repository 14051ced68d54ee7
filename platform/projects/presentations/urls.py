"""URLs of the presentation hour."""

from __future__ import annotations

from django.urls import path

from projects.presentations import hour_views, result_views, views

HERE = "o/<slug:offering>/talks"
TALK = f"{HERE}/<int:pk>"

urlpatterns = [
    path(f"{HERE}/", views.talks, name="talks"),
    path(f"{HERE}/now/", hour_views.talk_now, name="talk-now"),
    path(f"{HERE}/rules/", views.rules, name="talks-rules"),
    path(f"{HERE}/fill/", views.fill, name="talks-fill"),
    path(f"{HERE}/add/", views.add, name="talks-add"),
    path(f"{HERE}/order/", views.order, name="talks-order"),
    path(f"{HERE}/results/", result_views.results, name="talks-results"),
    path(f"{HERE}/release/", result_views.release, name="talks-release"),
    path(f"{HERE}/comments/", result_views.comments, name="talks-comments"),
    path(f"{HERE}/comments/<int:pk>/", result_views.comment, name="talks-comment"),
    path(f"{TALK}/", hour_views.talk, name="talk"),
    path(f"{TALK}/open/", hour_views.talk_open, name="talk-open"),
    path(f"{TALK}/close/", hour_views.talk_close, name="talk-close"),
    path(f"{TALK}/turnout/", hour_views.talk_turnout, name="talk-turnout"),
    path(f"{TALK}/speakers/", hour_views.talk_speakers, name="talk-speakers"),
    path(f"{TALK}/move/", views.move, name="talk-move"),
    path(f"{TALK}/remove/", views.remove, name="talk-remove"),
    path(f"{TALK}/rate/", hour_views.talk_rate, name="talk-rate"),
    path(f"{TALK}/timer/", hour_views.talk_timer, name="talk-timer"),
    path(f"{TALK}/comments/", result_views.talk_comments, name="talk-comments"),
    path(f"{TALK}/result/", result_views.result, name="talk-result"),
    path(f"{TALK}/feedback/", result_views.feedback, name="talk-feedback"),
    path(f"{TALK}/take-back/", result_views.take_back, name="talk-take-back"),
]
