"""The composition root: from settings to working parts. The only place that names adapters.

Adapters are imported where they are chosen: a worker on the embedded backend never loads Google's clients (0.7 s of
CPU), and `--help` loads neither.
"""

from worker.wiring.backends import Backend, connect
from worker.wiring.models import language_model
from worker.wiring.serving import front
from worker.wiring.work import consumer, healer

__all__ = ["Backend", "connect", "consumer", "front", "healer", "language_model"]
