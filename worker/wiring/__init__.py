"""The composition root: from settings to working parts. The only place that names adapters.

Adapters are imported where they are chosen: a worker on the embedded backend never loads Google's clients (a third of a
second of CPU), and `--help` loads neither. Commands name the module that they need, and that is `backends` alone where
nothing is answered: stages, catalogue and models would double their start.
"""
