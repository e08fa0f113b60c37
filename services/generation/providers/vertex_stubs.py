"""The few of Google's stubs for Vertex AI that are used, imported without the hundreds that are not.

`google.cloud.aiplatform_v1` runs the stubs of all its services as soon as anything in it is imported: half a second of
CPU time and 50 MB in every process, for one method of one service. So the packages on the way to that one are put in
place here without running them. Whoever asks them for more, gets it: the package is run after all.
"""

import importlib.util
import sys
from contextlib import suppress
from importlib import import_module
from types import ModuleType
from typing import Any


def _put_in_place(name: str) -> None:
    """Make the package known, so that its modules can be imported, unless somebody has imported it already."""
    if name not in sys.modules:
        parent, _, child = name.rpartition(".")
        sys.modules[name] = package = _not_run_yet(name)
        setattr(import_module(parent), child, package)


def _not_run_yet(name: str) -> ModuleType:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    package, loader = importlib.util.module_from_spec(spec), spec.loader

    def look_up(attribute: str) -> Any:
        """A module of the package, or else what running the package brings."""
        if attribute.startswith("__"):  # the import system looks for things of its own
            raise AttributeError(f"module {name!r} has no attribute {attribute!r}")
        with suppress(ModuleNotFoundError):
            return import_module(f"{name}.{attribute}")
        del package.__dict__["__getattr__"]
        loader.exec_module(package)
        return getattr(package, attribute)

    package.__dict__["__getattr__"] = look_up
    return package


for _package in ("", ".types", ".services.prediction_service"):
    _put_in_place(f"google.cloud.aiplatform_v1{_package}")

from google.cloud.aiplatform_v1.services.prediction_service.transports.grpc_asyncio import (  # noqa: E402
    PredictionServiceGrpcAsyncIOTransport as Transport,
)
from google.cloud.aiplatform_v1.types import content, openapi, prediction_service  # noqa: E402
from google.cloud.aiplatform_v1.types.content import (  # noqa: E402
    Candidate,
    GenerationConfig,
    HarmCategory,
    SafetySetting,
)
from google.cloud.aiplatform_v1.types.prediction_service import (  # noqa: E402
    GenerateContentRequest,
    GenerateContentResponse,
)

__all__ = [
    "Candidate",
    "GenerateContentRequest",
    "GenerateContentResponse",
    "GenerationConfig",
    "HarmCategory",
    "SafetySetting",
    "Transport",
    "content",
    "openapi",
    "prediction_service",
]
