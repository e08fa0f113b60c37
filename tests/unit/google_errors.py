"""Errors as Google's services send them."""

from google.api_core import exceptions
from google.rpc.error_details_pb2 import ErrorInfo


def denied(reason: str) -> exceptions.PermissionDenied:
    """A 403 whose details name this reason."""
    return exceptions.PermissionDenied("Permission denied.", error_info=ErrorInfo(reason=reason))
