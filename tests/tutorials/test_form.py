"""Every lesson has the same form: one question, a guess, a measurement, and no number that was not measured."""

import ast
import re

import numpy as np
import pytest

from tests.tutorials.running import FACTS, LESSONS, ROOT, cells, code_lines, run

HEADINGS = ["Question", "Predict", "Experiment", "Figure", "The way back", "Measured", "Practice", "Remember"]
FIELDS = ["Question", "Builds on", "Data", "Takes"]
CODE, OWN_FIGURE, REMEMBER = 150, 20, 3  # lines at most

every_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)


def headings(source):
    return [line[5:].strip() for kind, text in cells(source) if kind == "markdown" for line in text.splitlines()
            if line.startswith("# ## ")]  # fmt: skip


def section(source, heading):
    """The code between a heading and the next one."""
    inside, code = False, []
    for kind, text in cells(source):
        if kind == "markdown" and (found := re.findall(r"^# ## (.*)$", text, re.MULTILINE)):
            inside = heading in found
        elif inside and kind == "code":
            code.append(text)
    return "\n".join(code)


def prose(source):
    """What a reader reads as text: markdown cells, the docstring, and strings into which nothing is formatted."""
    tree = ast.parse(source)
    formatted = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    strings = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)
               and id(n) not in formatted]  # fmt: skip
    return "\n".join([*(text for kind, text in cells(source) if kind == "markdown"), *strings])


def stated(text, facts):
    """Numbers of at least two digits in a text that a measured fact would be rounded to."""
    found = []
    for number in re.findall(r"(?<![\w.,/{:-])\d+(?:[.,]\d+)?(?![\w/])", text):
        digits = number.replace(",", ".").replace(".", "").lstrip("0")
        if len(digits.rstrip("0")) < 2:  # 10 is a number of many things
            continue
        value = float(number.replace(",", "."))
        for name, fact in facts.items():
            if any(float(f"{scale * fact:.{len(digits)}g}") == value for scale in (1, 100)):
                found.append((name, number))
    return found


def own_figures(tree):
    """Lines of code in each `with figures.style():`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.With) and "figures.style()" in ast.unparse(node.items[0]):
            yield sum(inner.end_lineno - inner.lineno + 1 for inner in node.body)


@every_lesson
class TestEveryLesson:
    def test_has_the_headings_in_their_order(self, path):
        found = headings(path.read_text(encoding="utf-8"))
        assert [name for name in found if name in HEADINGS] == HEADINGS

    def test_says_on_top_what_it_asks_and_what_it_takes(self, path):
        lines = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))).splitlines()
        assert lines[0].endswith((".", "?"))
        assert [line.partition(":")[0] for line in lines[2:] if line[0] != " "] == FIELDS
        assert lines[2].endswith("?")
        assert re.fullmatch(r"Takes: \d+ seconds?\.", lines[-1])

    def test_is_short(self, path):
        source = path.read_text(encoding="utf-8")
        assert code_lines(source) <= CODE
        assert all(lines <= OWN_FIGURE for lines in own_figures(ast.parse(source)))
        remember = source.split("# ## Remember\n")[1].split("\n\n")[0].strip().splitlines()
        assert len(remember) <= REMEMBER

    def test_draws_by_itself_in_the_common_style_alone(self, path):
        source = path.read_text(encoding="utf-8")
        assert "pyplot" not in source
        if re.search(r"^\s*(from|import) matplotlib", source, re.MULTILINE):
            assert "with figures.style():" in source

    def test_traces_its_own_loss_and_states_a_number_about_it(self, path):
        source, name = path.read_text(encoding="utf-8"), FACTS[path.stem]["way_back"]
        called = {n.func.attr if isinstance(n.func, ast.Attribute) else getattr(n.func, "id", "")
                  for n in ast.walk(ast.parse(section(source, "The way back"))) if isinstance(n, ast.Call)}  # fmt: skip
        assert called & ({"tree"} if path.stem == "00_engine" else {"trace", "diff", "print"})
        assert "trace(" in source or "diff(" in source or path.stem == "00_engine"
        assert name in FACTS[path.stem]["facts"]

    def test_states_no_measured_number_as_text(self, path):
        ranged = {(name, i): value for name, found in run(path).read("facts").items()
                  if "exact" not in FACTS[path.stem]["facts"][name] for i, value in enumerate(np.ravel(found))}  # fmt: skip
        assert stated(prose(path.read_text(encoding="utf-8")), ranged) == []

    def test_leaves_every_answer_to_the_reader(self, path):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("predict", "check"):
                assert ast.unparse(node.args[1]) == "..."

    def test_asks_for_guesses_of_what_it_measures(self, path):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        asked = {ast.literal_eval(n.args[0]) for n in ast.walk(tree)
                 if isinstance(n, ast.Call) and ast.unparse(n.func) == "predict"}  # fmt: skip
        assert asked
        assert asked <= set(FACTS[path.stem]["facts"])

    def test_stands_in_the_path_with_its_question(self, path):
        text = (ROOT / "tutorials" / "README.md").read_text(encoding="utf-8")
        question = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))).splitlines()[2]
        assert f"({path.name})" in text
        assert (ROOT / "docs" / "lessons" / f"{path.stem}.png").stat().st_size < 150_000
        assert question.removeprefix("Question: ") in text


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("about 34 % of it", [("share", "34")]),
        ("0.339 of it", [("share", "0.339")]),
        ("41 points, lr 0.1, [0.3390, 1]", [("share", "0.3390")]),
        ("{share:.34} x34 34/41", []),
    ],
)
def test_a_measured_number_in_a_text_would_be_found(text, found):
    assert stated(text, {"share": 0.339}) == found


def test_headings_out_of_order_would_be_found():
    source = "\n".join(f"# %% [markdown]\n# ## {name}" for name in reversed(HEADINGS))
    assert [name for name in headings(source) if name in HEADINGS] != HEADINGS
