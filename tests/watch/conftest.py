"""Run folders written by hand."""

from tests.report.conftest import leave

__all__ = ["leave"]
