"""Formulas in LaTeX as a person writes them in a line: `$CO_2$` is CO2, `\\frac{1}{2}` is 1/2, `x^2` is x²."""

import re

DEEPEST = 8
"""How many fractions, roots and the like may stand in one another."""

_GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "zeta": "ζ", "eta": "η", "theta": "θ",
    "iota": "ι", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "pi": "π", "rho": "ρ", "sigma": "σ",
    "tau": "τ", "upsilon": "υ", "phi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω", "Gamma": "Γ", "Delta": "Δ",
    "Theta": "Θ", "Lambda": "Λ", "Xi": "Ξ", "Pi": "Π", "Sigma": "Σ", "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω",
    "varepsilon": "ε", "vartheta": "ϑ", "varphi": "φ",
}  # fmt: skip
_OPERATORS = {
    "times": "×", "cdot": "·", "div": "÷", "pm": "±", "mp": "∓", "leq": "≤", "le": "≤", "geq": "≥", "ge": "≥",
    "neq": "≠", "ne": "≠", "approx": "≈", "equiv": "≡", "sim": "~", "propto": "∝", "rightarrow": "→", "to": "→",
    "longrightarrow": "→", "leftarrow": "←", "leftrightarrow": "↔", "rightleftharpoons": "⇌", "Rightarrow": "⇒",
    "Leftrightarrow": "⇔", "cup": "∪", "cap": "∩", "subset": "⊂", "in": "∈", "notin": "∉", "mid": "|", "parallel": "∥",
    "perp": "⊥", "land": "∧", "lor": "∨", "neg": "¬", "ll": "≪", "gg": "≫", "ast": "*", "star": "*",
}  # fmt: skip
_SYMBOLS = {
    **_GREEK, **_OPERATORS,
    "infty": "∞", "nabla": "∇", "partial": "∂", "sum": "∑", "prod": "∏", "int": "∫", "forall": "∀", "exists": "∃",
    "emptyset": "∅", "degree": "°", "circ": "°", "angle": "∠", "triangle": "△", "ldots": "…", "cdots": "…", "dots": "…",
    "prime": "′", "hbar": "ℏ", "ell": "ℓ", "bullet": "•", "quad": " ", "qquad": " ", "left": "", "right": "", "big": "",
    "Big": "", "displaystyle": "", "limits": "", "nonumber": "", "hline": "", "newline": " ",
}  # fmt: skip
_WRAPPERS = (
    "text|textbf|textit|mathrm|mathbf|mathit|mathbb|mathcal|operatorname|"
    "vec|hat|bar|overline|underline|boxed|ce|mbox|emph"
)
_SUPERSCRIPTS = str.maketrans("0123456789+-−n()i", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻ⁿ⁽⁾ⁱ")

_BETWEEN = re.compile(r"\$\$(.{1,500}?)\$\$|\\\[(.{1,500}?)\\\]|\\\((.{1,500}?)\\\)", re.DOTALL)
# As Pandoc has it: no blank inside the dollar signs, no digit behind the last one; prices are no formulas.
_DOLLARS = re.compile(r"(?<![\\\w$])\$(?=[^\s$])([^$\n]{1,300}?)(?<=[^\s\\])\$(?![\d\w$])")
_LONG_WORDS = re.compile(r"(?<![\\A-Za-z])[^\W\d_]{2,}\s+[^\W\d_]{2,}")
_FORMULA = re.compile(r"[\\^_{}=+*/<>]|^[A-Za-z0-9.,%°\-]+$")

_COMMAND = re.compile(r"\\([A-Za-z]+)\*?")
_BARE_COMMAND = re.compile(
    rf"(?<![A-Za-z:\\])\\(?:{'|'.join(sorted(_SYMBOLS, key=len, reverse=True))})(?![A-Za-z])"
    rf"|(?<![:\\])\\(?:{'|'.join(sorted(_OPERATORS, key=len, reverse=True))})(?![A-Za-z])"
)
_BARE_STRUCTURE = re.compile(rf"\\(?:[dt]?frac\s*\{{|sqrt\s*[\[{{]|(?:{_WRAPPERS})\s*\{{|begin\{{|end\{{)")
_ENVIRONMENT = re.compile(r"\\(?:begin|end)\{[a-z*]+\}(?:\{[^{}]*\})?")
_WRAPPER = re.compile(rf"\\(?:{_WRAPPERS})\s*\{{([^{{}}]*)\}}")
_FRACTION = re.compile(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}|\\[dt]?frac\s*(\d)\s*(\d)")
_ROOT = re.compile(r"\\sqrt\s*(?:\[[^\]]{0,20}\])?\s*\{([^{}]*)\}")
_DEGREE = re.compile(r"\^\s*(?:\{\s*\\circ\s*\}|\\circ(?![A-Za-z]))")
_POWER = re.compile(r"(?<=[\w)])\^\{?(-?\d{1,4})\b\}?")
_RAISED = re.compile(r"\^\s*(?:\{([^{}]*)\}|([^\s{}\\]))")
_LOWERED = re.compile(r"_\s*(?:\{([^{}]*)\}|([^\s{}\\]))")
_SPACE = re.compile(r"\\[,;:! ]|\\\\|~|&")
_SYMBOL_ESCAPE = re.compile(r"\\([%$#_{}&])")

# JSON reads a lone `\frac`, `\beta`, `\times` as a control character and the rest of the name.
_EATEN = re.compile(
    r"\x0c(?=rac|orall)|\x08(?=eta|ar\{|inom|oxed|ullet|egin\{|ig)|\t(?=imes\b|heta\b|ext\{|au\b|riangle|frac)"
)
_LETTER = {"\x0c": r"\f", "\x08": r"\b", "\t": r"\t"}


def without_latex(text: str) -> str:
    """The text with its formulas in a line, and without the marks around them."""
    text = _EATEN.sub(lambda found: _LETTER[found[0]], text)
    text = _POWER.sub(lambda found: found[1].translate(_SUPERSCRIPTS), text)
    if "\\" not in text and "$" not in text:
        return text
    text = _BETWEEN.sub(lambda found: _told(next(filter(None, found.groups()))), text)
    text = _DOLLARS.sub(lambda found: _told(found[1]) if _is_formula(found[1]) else found[0], text)
    if _BARE_STRUCTURE.search(text):
        text = _structures(text)
    return _BARE_COMMAND.sub(lambda found: _SYMBOLS[found[0][1:]], _DEGREE.sub("°", text))


def _is_formula(text: str) -> bool:
    return bool(_FORMULA.search(text)) and not _LONG_WORDS.search(_WRAPPER.sub("", text))


def _told(formula: str) -> str:
    formula = _structures(_SPACE.sub(" ", formula))
    formula = _COMMAND.sub(lambda found: _SYMBOLS.get(found[1], found[1]), _DEGREE.sub("°", formula))
    formula = _RAISED.sub(_raised, formula)
    formula = _LOWERED.sub(lambda found: found[1] if found[1] is not None else found[2], formula)
    formula = _SYMBOL_ESCAPE.sub(r"\1", formula)
    return formula.replace("{", "").replace("}", "").strip()


def _structures(text: str) -> str:
    """Fractions, roots and wrapped words, from the inside out."""
    text = _ENVIRONMENT.sub(" ", text)
    for _ in range(DEEPEST):
        before = text
        text = _WRAPPER.sub(r"\1", text)
        text = _ROOT.sub(lambda found: f"√{_grouped(found[1])}", text)
        text = _FRACTION.sub(_fraction, text)
        if text == before:
            break
    return text


def _fraction(found: re.Match[str]) -> str:
    over, under = (found[1], found[2]) if found[1] is not None else (found[3], found[4])
    return f"{_grouped(over)}/{_grouped(under)}"


def _grouped(text: str) -> str:
    text = text.strip()
    return text if re.fullmatch(r"[\w.,√²³]+|\\[A-Za-z]+", text) else f"({text})"


def _raised(found: re.Match[str]) -> str:
    text = (found[1] if found[1] is not None else found[2]).strip()
    raised = text.translate(_SUPERSCRIPTS)
    return raised if all(char not in text for char in raised) else f"^{text}"
