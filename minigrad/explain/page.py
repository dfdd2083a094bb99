"""The page of `explore`: a template that opens as it lies there, and the one block of it that Python replaces."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

TEMPLATE = Path(__file__).with_name("page.html")
START, END = "<!-- data -->", "<!-- /data -->"
SAID = {"bce_with_logits": "cross-entropy", "cross_entropy": "cross-entropy", "half_mse_sigmoid": "squared error"}
ALIKE = 0.005  # ratios nearer to 1 than this are said to be the same


def filled(data: dict[str, Any], text: str) -> str:
    """The template with this record in it."""
    before, _, rest = TEMPLATE.read_text(encoding="utf-8").partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n{block(data, text)}\n{END}{after}"


def block(data: dict[str, Any], text: str) -> str:
    """The record as JSON, and for a browser without JavaScript as text."""
    # No "<" is left in it, so that nothing in a name can end the element, or begin another.
    plain = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    said = html.escape(text)
    return f'<script type="application/json" id="data">{plain}</script>\n<noscript><pre>{said}</pre></noscript>'


def data_of(text: str) -> dict[str, Any]:
    """The record of a page."""
    inner = text.partition(START)[2].partition(END)[0]
    found: dict[str, Any] = json.loads(inner.partition('id="data">')[2].partition("</script>")[0])
    return found


def said(name: str) -> str:
    """What a loss is called in a sentence."""
    return SAID.get(name, name)


# --- the sentence; the page writes the same one for every state -------------------------------------------------------
def sentence(data: dict[str, Any], snapshot: int, point: int, on: Any = None) -> str:
    """What the first two losses that are switched on send to a point."""
    shown = [k for k in range(len(data["losses"])) if on is None or on[k]][:2]
    if not shown:
        return "No loss is switched on."
    sizes = [ways(data, snapshot, point, k) for k in shown]
    names = [data["losses"][k]["said"] for k in shown]
    (a, *_), lead = sizes[0], "Same network, same point: "
    if len(shown) == 1:
        return f"{names[0]} sends {digits(a)}; {digits(sizes[0][-1])} arrives at the input."
    b = sizes[1][0]
    if not a or not b:
        told = [digits(size) if size else "nothing" for size in (a, b)]
        return f"{lead}{names[0]} sends {told[0]}, {names[1]} sends {told[1]}."
    ratio = _times(a / b)
    if not data["several"]:
        return f"{lead}{names[0]} sends {digits(a)}, {names[1]} {digits(b)}, {ratio} at every layer."
    far = _times(sizes[0][-2] / sizes[1][-2]) if sizes[0][-2] and sizes[1][-2] else "nothing"
    return f"{lead}{names[0]} sends {digits(a)}, {names[1]} {digits(b)}, {ratio} at the last layer, {far} at the first."


def ways(data: dict[str, Any], snapshot: int, point: int, loss: int) -> list[float]:
    """The length of the gradient of a point under a loss, from the loss to the input."""
    shot = data["snapshots"][snapshot]
    factors = shot["factor"][loss][point] if data["several"] else shot["factor"][point]
    found = [abs(shot["delta"][point][loss])]
    for factor in factors:
        found.append(found[-1] * factor)
    return found


def _times(ratio: float) -> str:
    if abs(ratio - 1) < ALIKE:
        return "as much"
    return f"{digits(ratio)} times less" if ratio > 1 else f"{digits(1 / ratio)} times more"


def digits(value: float) -> str:
    """A size in two digits, in full from 100 to 99999: 0.98, 0.022, 44, 289, 1.2e-5."""
    if value == 0:
        return "0"
    if 99.5 <= value < 99999.5:
        return f"{value:.0f}"
    if 0.00095 <= value < 99.5:
        return f"{float(f'{value:.2g}'):g}"
    return f"{value:.1e}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")
