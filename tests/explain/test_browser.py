"""The page in a browser: no message on its console, every control does what it says, its numbers are Python's."""

import re

import pytest

from minigrad.explain import page
from tests.explain.pages import PAGES, blobs, browse, diabetes, moons, needs_browser

pytestmark = needs_browser

CONTROLS = """
report.first = said();
report.title = document.getElementById("title").textContent;
report.lines = [...document.querySelectorAll("#trace polyline[data-loss]")].map((el) => el.dataset.loss);
press("2");
report.without = said();
report.pressed = [...document.querySelectorAll("#switches button")].map((el) => el.getAttribute("aria-pressed"));
report.left = document.querySelectorAll("#trace polyline[data-loss]").length;
press("2");
press("9");
report.again = said();
document.querySelectorAll("#switches button")[0].click();
report.clicked = said();
document.querySelectorAll("#switches button")[0].click();
report.now = document.getElementById("now").textContent;
press("ArrowRight");
report.later = [said(), document.getElementById("now").textContent, document.getElementById("step").value];
press("ArrowLeft"); press("ArrowLeft");
report.earlier = [said(), document.getElementById("now").textContent];
const slider = document.getElementById("step");
slider.value = 0;
slider.dispatchEvent(new Event("input"));
report.start = [said(), document.getElementById("now").textContent];
for (let k = 0; k < 30; k++) press("ArrowRight");
report.end = document.getElementById("now").textContent;
state.shot = data.first.snapshot; draw();
document.querySelector('#scatter [data-point="5"]').dispatchEvent(new MouseEvent("click", { bubbles: true }));
report.picked = [said(), state.at, document.querySelector("#table caption").textContent];
const loud = () => Math.abs(shot().delta[state.at][0]);
const before = loud();
press("ArrowUp");
report.louder = [before, loud()];
press("ArrowDown"); press("ArrowDown");
report.quieter = [before, loud()];
for (let k = 0; k < 300; k++) press("ArrowUp");
report.loudest = [state.at, Math.max(...shot().delta.map((row) => Math.abs(row[0])))];
report.loudestSends = loud();
const dot = document.querySelector("#trace circle[tabindex]");
dot.focus();
report.reading = document.getElementById("reading").textContent;
report.focused = document.activeElement === dot;
state.at = data.first.point; draw();
report.table = [...document.querySelectorAll("#table tr")].map((tr) => [...tr.children].map((cell) => cell.textContent));
press("1"); press("2"); press("3"); press("4");
report.nothing = [said(), document.querySelectorAll("#trace polyline[data-loss]").length];
report.live = document.getElementById("sentence").getAttribute("aria-live");
report.unnamed = [...document.querySelectorAll("button, input, svg[role], [tabindex]")].filter((el) => !(el.getAttribute("aria-label") || el.textContent.trim())).length;
"""


def test_every_control_does_what_it_says():
    _, record = moons()
    data = record.data
    s, i = data["first"]["snapshot"], data["first"]["point"]
    r, console = browse(record.html, CONTROLS)
    assert console == []
    assert r.get("error") is None
    assert r["first"] == record.sentence
    assert r["lines"] == ["focal", "hinge", "half_mse_sigmoid", "bce_with_logits"]  # the first lies on top
    assert r["without"] == page.sentence(data, s, i, [True, False, True, True])
    assert r["pressed"] == ["true", "false", "true", "true"]
    assert r["left"] == 3
    assert r["again"] == r["first"]
    assert r["clicked"] == page.sentence(data, s, i, [False, True, True, True])
    steps = [each["step"] for each in data["snapshots"]]
    assert r["now"] == f"step {steps[s]} ({s + 1} of 12)"
    assert r["later"] == [page.sentence(data, s + 1, i), f"step {steps[s + 1]} ({s + 2} of 12)", str(s + 1)]
    assert r["earlier"] == [page.sentence(data, s - 1, i), f"step {steps[s - 1]} ({s} of 12)"]
    assert r["start"] == [page.sentence(data, 0, i), "step 0 (1 of 12)"]
    assert r["end"] == "step 420 (12 of 12)"
    assert r["picked"][:2] == [page.sentence(data, s, 5), 5]
    assert r["picked"][2].startswith("sample 5, y = ")
    assert r["louder"][1] >= r["louder"][0]
    assert r["quieter"][1] <= r["quieter"][0]
    assert r["loudestSends"] == r["loudest"][1]
    assert r["focused"]
    assert re.fullmatch(r"focal: \S+ leaves the loss", r["reading"])
    assert r["nothing"] == ["No loss is switched on.", 0]
    assert r["live"] == "polite"
    assert r["unnamed"] == 0


def test_the_table_shows_the_numbers_of_the_record():
    _, record = moons()
    data = record.data
    s, i = data["first"]["snapshot"], data["first"]["point"]
    rows = browse(record.html, CONTROLS)[0]["table"]
    assert rows[0] == ["", "factor", *(word for each in data["losses"] for word in (each["name"], "share"))]
    shot = data["snapshots"][s]
    assert [float(cell.replace("−", "-")) for cell in rows[1][2::2]] == pytest.approx(shot["delta"][i], rel=1e-3)
    for r, row in enumerate(rows[2:]):
        assert row[0] == f"leaves {data['rows'][r]['name']}"
        assert row[1] == page.digits(shot["factor"][i][r])
        assert row[2::2] == [page.digits(page.ways(data, s, i, k)[r + 1]) for k in range(4)]
        if r in data["parameters"]:
            place = data["parameters"].index(r)
            shares = [page.ways(data, s, i, k)[r] * shot["reach"][i][place] / shot["total"][k][place] for k in range(4)]
            assert [float(cell[:-2]) for cell in row[3::2]] == pytest.approx(
                [100 * share for share in shares], abs=0.051
            )


EVERYWHERE = """
report.said = [];
report.ways = [];
const points = data.points.index.map((_, j) => j).filter((j) => j % 7 === 0);
for (let s = 0; s < data.snapshots.length; s++) for (const j of points) {
  state.shot = s; state.at = j;
  report.said.push(sentence());
  report.ways.push(data.losses.map((_, k) => ways(k)));
}
draw();
report.field = [document.getElementById("field").hidden, document.getElementById("boundary") !== null];
report.items = document.querySelectorAll("#list button").length;
const other = document.querySelectorAll("#list button")[3];
if (other) { other.click(); report.chosen = [Number(other.dataset.point), state.at]; }
"""


@pytest.mark.parametrize("make", [moons, blobs, diabetes])
def test_sentences_and_lengths_are_pythons_for_every_state(make):
    data = make()[1].data
    r, console = browse(make()[1].html, EVERYWHERE)
    assert console == []
    assert r.get("error") is None
    points = [j for j in range(len(data["points"]["index"])) if j % 7 == 0]
    states = [(s, j) for s in range(len(data["snapshots"])) for j in points]
    assert r["said"] == [page.sentence(data, s, j) for s, j in states]
    for found, (s, j) in zip(r["ways"], states, strict=True):
        for k, way in enumerate(found):
            assert way == pytest.approx(page.ways(data, s, j, k), rel=1e-12)
    listed = data["points"]["x"] is None
    assert r["items"] == (30 if listed else 0)
    assert r["field"] == [listed, make is moons]
    assert r.get("chosen", [1, 1])[0] == r.get("chosen", [1, 1])[1]


@pytest.mark.parametrize("name", ["template", "plain"])
def test_the_template_opens_as_it_lies_there(name):
    text = PAGES[name]()
    data = page.data_of(text)
    r, console = browse(text, "report.first = said();")
    assert console == []
    assert r == {"first": page.sentence(data, data["first"]["snapshot"], data["first"]["point"])}


LOOKS = """
const css = (el) => getComputedStyle(el);
report.paper = css(document.body).backgroundColor;
report.ink = css(document.getElementById("sentence")).color;
report.wide = [document.documentElement.scrollWidth, innerWidth];
report.below = document.getElementById("trace").getBoundingClientRect().top > document.getElementById("scatter").getBoundingClientRect().bottom;
const inside = (id) => { const box = document.getElementById(id).getBoundingClientRect(); return [...document.querySelectorAll(`#${id} text`)].map((el) => [el.textContent, el.getBoundingClientRect()]).filter(([, b]) => b.right > Math.max(box.right, innerWidth) + 1 || b.left < -1).map(([text]) => text); };
report.outside = [...inside("trace"), ...inside("scatter")];
const texts = [...document.querySelectorAll("#trace text")].map((el) => [el.textContent, el.getBoundingClientRect(), el.hasAttribute("transform")]).filter(([, , turned]) => !turned);
report.overlaps = texts.flatMap(([a, p], i) => texts.slice(i + 1).filter(([, q]) => Math.min(p.right, q.right) - Math.max(p.left, q.left) > 1 && Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top) > 1).map(([b]) => [a, b]));
"""


@pytest.mark.parametrize(
    ("width", "dark", "paper", "ink"),
    [(1200, False, "rgb(255, 255, 255)", "rgb(32, 32, 32)"), (1200, True, "rgb(21, 23, 26)", "rgb(237, 237, 237)"), (500, False, "rgb(255, 255, 255)", "rgb(32, 32, 32)")],
)  # fmt: skip
def test_the_page_suits_the_light_the_dark_and_a_phone(width, dark, paper, ink):
    flags = ["--blink-settings=preferredColorScheme=0"] if dark else []
    r, console = browse(moons()[1].html, LOOKS, width=width, flags=flags)
    assert console == []
    assert (r["paper"], r["ink"]) == (paper, ink)
    assert r["wide"][0] <= r["wide"][1]
    assert r["below"] == (width < 760)
    assert r["outside"] == []
    assert r["overlaps"] == []


def test_a_browser_without_javascript_shows_the_traces():
    text = moons()[1].html
    assert text.index("<noscript><pre>trace  bce_with_logits") > 0
    assert "half_mse_sigmoid" in text.partition("<noscript>")[2].partition("</noscript>")[0]
