"""Freezing the grades: staff see what is open and what was kept, instructors freeze and lift."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from courses.access import get_instructor_enrollment, get_staff_enrollment
from courses.pages import render_page
from gradebook.freezing import services
from gradebook.freezing.access import get_snapshot_for, get_snapshot_to_lift
from gradebook.freezing.forms import NoteForm
from gradebook.freezing.pages import freezing_page, snapshot_page
from gradebook.freezing.services import FreezeRefused

LIST, ONE = "gradebook/freezing.html", "gradebook/snapshot.html"


@signed_in
@require_safe
def freezing(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """The checklist, and everything that was kept."""
    viewer = get_staff_enrollment(request.user, offering)
    return render_page(request, LIST, freezing_page(viewer), enrollment=viewer)


@signed_in
@require_POST
def freeze(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """Freeze the grades. Field: `note`, which is needed while something is open."""
    return _take(request, offering, final=True)


@signed_in
@require_POST
def keep(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """Take a snapshot without freezing. Field: `note`."""
    return _take(request, offering, final=False)


@signed_in
@require_safe
def snapshot(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponse:
    """One snapshot beside another one; `?against=` names it, and without it the snapshot stands beside now."""
    viewer, found = get_snapshot_for(request.user, offering, pk)
    page = snapshot_page(viewer, found, against=request.GET.get("against", ""))
    return render_page(request, ONE, page, enrollment=viewer)


@signed_in
@require_safe
def file(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponse:
    """The snapshot's content, byte by byte what its hash is of."""
    viewer, found = get_snapshot_for(request.user, offering, pk)
    response = HttpResponse(found.data.encode("ascii"), content_type="application/json")
    name = f"grades-{viewer.offering.slug}-{found.sha256[:12]}.json"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@signed_in
@require_POST
def lift(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponse:
    """Lift the freeze. Field: `note`, the reason."""
    viewer, found = get_snapshot_to_lift(request.user, offering, pk)
    form = NoteForm(request.POST)
    try:
        if services.lift(snapshot=found, by=request.user, reason=form.note_or_refusal()):
            messages.success(request, "Lifted. The grades are read from their sources again; the snapshot stays.")
        else:
            messages.info(request, "It was lifted already; nothing changed now.")
    except FreezeRefused as refusal:
        page = snapshot_page(viewer, found, refusal=str(refusal), reason=request.POST.get("note", ""))
        return render_page(request, ONE, page, enrollment=viewer, status=422)
    return redirect("snapshot", offering, pk)


def _take(request: AuthenticatedHttpRequest, offering: str, *, final: bool) -> HttpResponse:
    viewer, form = get_instructor_enrollment(request.user, offering), NoteForm(request.POST)
    act = services.freeze if final else services.take_snapshot
    try:
        act(offering=viewer.offering, by=request.user, note=form.note_or_refusal())
    except FreezeRefused as refusal:
        page = freezing_page(viewer, refusal=str(refusal), note=request.POST.get("note", ""))
        return render_page(request, LIST, page, enrollment=viewer, status=422)
    done = (
        "Frozen. Everyone sees these grades until the freeze is lifted."
        if final
        else "Kept. The grades go on as before."
    )
    messages.success(request, done)
    return redirect("freezing", offering)
