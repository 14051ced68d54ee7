"""What other parts ask about deliverables: how they stand for a person. The list's template is `deliverables/_list.html`."""

from __future__ import annotations

from projects.deliverables.states import DeliverableState, deliverables_of

__all__ = ["DeliverableState", "deliverables_of"]
