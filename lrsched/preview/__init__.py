"""Previews: the values of every step of a run, looked at before it is made. numpy only."""

from lrsched.preview.course import Course, Span

__all__ = ["Course", "Span"]
