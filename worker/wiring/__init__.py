"""The composition root: from settings to working parts. The only place that names adapters.

Adapters are imported where they are chosen: a worker on the embedded backend never loads Google's clients (0.7 s of
CPU), and `--help` loads neither. Commands name the module that they need, `backends` alone where nothing is answered:
stages, catalogue and models would double their start.
"""
