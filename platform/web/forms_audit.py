"""The filters of the audit log, as they stand in its address."""

from __future__ import annotations

from typing import Any

from django import forms

from assignments.due.forms import within_reach


class AuditFilter(forms.Form):
    """Every field may be empty. What the lists offer is what the log holds."""

    who = forms.ChoiceField(required=False, label="Who")
    action = forms.ChoiceField(required=False, label="Did what")
    kind = forms.ChoiceField(required=False, label="To what")
    student = forms.CharField(required=False, max_length=200, label="Student, by name or e-mail")
    first = forms.DateField(
        required=False,
        label="From",
        validators=[within_reach],
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    last = forms.DateField(
        required=False,
        label="To",
        validators=[within_reach],
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    text = forms.CharField(required=False, max_length=200, label="Words in it")

    def __init__(self, data: Any, who: list[str], actions: list[str], kinds: list[tuple[str, str]]) -> None:
        super().__init__(data)
        self._offer("who", [("", "Everyone"), *((name, name) for name in who)])
        self._offer("action", [("", "Anything"), *((action, action) for action in actions)])
        self._offer("kind", [("", "Anything"), *kinds])

    def wanted(self) -> dict[str, Any]:
        """The filters that are set and can be read, by name."""
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value}

    def sentence(self) -> str:
        """What could not be read, for people; empty when everything could."""
        wrong = [str(self.fields[name].label) for name in self.errors]
        return f"Not a filter that can be used, so it was left out: {', '.join(wrong)}." if wrong else ""

    def _offer(self, name: str, choices: list[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices
