"""The composition root: from settings to working parts. The only place that names adapters.

Adapters are imported where they are chosen: a worker on the embedded backend never loads Google's clients (0.7 s of
CPU), and `--help` loads neither. `worker.wiring.serving` is imported by `serve` alone, and so it is not among the
names here.
"""

from worker.wiring.backends import Backend, connect
from worker.wiring.models import language_model
from worker.wiring.work import consumer, healer

__all__ = ["Backend", "connect", "consumer", "healer", "language_model"]
