"""What the tutorials are made of: a guess, a number, a question that knows what a wrong answer has mistaken."""

import io
import json
import math
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure

from minigrad import Tensor, figures, lesson


@pytest.fixture
def start(monkeypatch):
    """Begin a run: what stands on the command line, and what the terminal is."""

    def begin(*arguments):
        monkeypatch.setattr(sys, "argv", ["lesson.py", *map(str, arguments)])
        lesson._run.cache_clear()

    begin()
    yield begin
    lesson._run.cache_clear()


@pytest.fixture
def terminal(monkeypatch, start):
    """A reader who types these lines."""

    class Typed(io.StringIO):
        def isatty(self):
            return True

    def types(*lines):
        monkeypatch.setattr(sys, "stdin", Typed("".join(f"{line}\n" for line in lines)))
        monkeypatch.setattr(sys, "stdout", Typed())
        return sys.stdout

    return types


# --- the run ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("arguments", "rng"), [((), 0), (("--rng", 7), 7), (("-f", "kernel.json", "--rng=3", "--outer", "x"), 3)]
)
def test_the_integer_of_the_run_is_read_from_the_command_line_beside_whatever_else_stands_there(start, arguments, rng):
    start(*arguments)
    assert lesson.rng() == rng


def test_facts_questions_and_alt_texts_are_written_whole_after_each_entry(start, tmp_path):
    start("--out", tmp_path / "new" / "folder")
    lesson.fact("a", np.float32(0.25), "{value}")
    lesson.fact("b", np.array([1, 2]), "{value}")
    assert json.loads((tmp_path / "new" / "folder" / "facts.json").read_text()) == {"a": 0.25, "b": [1, 2]}
    lesson.check("c", ..., 3, wrong={4: "no"})
    record = json.loads((tmp_path / "new" / "folder" / "checks.json").read_text())["c"]
    assert lesson.judge(record, 4) == lesson.Verdict("wrong", "no")


# --- a guess ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("typed", "guess"),
    [
        ("10 %", 0.1),
        ("1/11", 1 / 11),
        ("-2e-3", -2e-3),
        ("0,5", 0.5),
        ("", None),
        ("ten", None),
        ("1/0", None),
        ("3 4", None),
    ],
)
def test_a_reader_at_a_terminal_types_a_number_as_people_write_it(terminal, typed, guess):
    terminal(typed)
    assert lesson.predict("share", ..., "Which share?") == (guess if guess is None else pytest.approx(guess))


def test_a_guess_in_the_script_is_not_asked_for_again(terminal):
    shown = terminal()
    assert lesson.predict("share", 0.1, "Which share?") == 0.1
    assert shown.getvalue() == "? share         Which share?  you: 0.1\n"


def test_nobody_is_asked_where_nobody_is(start, terminal, tmp_path, monkeypatch):
    start("--out", tmp_path)
    terminal("0.5")
    assert lesson.predict("share", ..., "Which share?") is None
    start()
    terminal("0.5")
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert lesson.predict("share", ..., "Which share?") is None


def test_a_terminal_that_ends_is_no_error(terminal):
    terminal()
    assert lesson.predict("share", ..., "Which share?") is None


@pytest.mark.parametrize(
    ("value", "sentence", "shown"),
    [
        (0.344, "owns {value:.0%} of it", "= share         0.344  owns 34 % of it  you said 10 %\n"),
        (0.344, "owns {value:.3g}", "= share         0.344  owns 0.344  you said 0.1\n"),
        (True, "it is so: {value}", "= share         yes  it is so: True  you said 0.1\n"),
    ],
)
def test_the_truth_is_printed_beside_the_guess_in_the_same_form(start, capsys, value, sentence, shown):
    lesson.predict("share", 0.1, "Which share?")
    capsys.readouterr()
    lesson.fact("share", value, sentence)
    assert capsys.readouterr().out == shown


def test_a_guess_of_another_kind_is_printed_as_it_is(start, capsys):
    lesson.predict("share", "a lot", "Which share?")
    lesson.fact("share", 0.344, "owns {value:.0%} of it")
    assert "you said 'a lot'" in capsys.readouterr().out


# --- a figure ---------------------------------------------------------------------------------------------------------
def drawn():
    fig = Figure()
    ax = fig.subplots()
    ax.set_title(figures.say(ax, "The share is {share:.2f}", share=0.25))
    return fig


def test_a_figure_is_saved_with_its_alt_text(start, tmp_path):
    start("--out", tmp_path)
    lesson.show(drawn(), "shares")
    assert {p.name for p in tmp_path.iterdir()} == {"shares.png", "shares.svg", "alt.json"}
    assert json.loads((tmp_path / "alt.json").read_text()) == {"shares": "The share is 0.25."}


@pytest.mark.parametrize("make", [drawn, lambda: __import__("matplotlib.pyplot").pyplot.figure()])
def test_a_figure_is_shown_once_and_closed_whoever_made_it(start, monkeypatch, make):
    from matplotlib import pyplot

    shown = []
    monkeypatch.setattr("matplotlib.get_backend", lambda: "qtagg")
    monkeypatch.setattr(pyplot, "show", lambda: shown.append([pyplot.figure(n) for n in pyplot.get_fignums()]))
    fig = make()
    lesson.show(fig, "shares")
    assert shown == [[fig]]
    assert pyplot.get_fignums() == []


class Page:
    html = "<p>σ</p>"

    def __str__(self):
        return "the sentence of the page"


def test_a_page_is_saved_and_without_a_folder_for_it_the_reader_is_told_where(start, tmp_path, monkeypatch, capsys):
    start("--out", tmp_path)
    lesson.show(Page(), "page")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == Page.html
    assert capsys.readouterr().out == "the sentence of the page\n"
    start()
    (tmp_path / "sub").mkdir()
    monkeypatch.setattr(lesson, "mkdtemp", lambda prefix: str(tmp_path / "sub"))
    lesson.show(Page(), "page")
    assert (tmp_path / "sub" / "page.html").is_file()
    assert f"Open it in a browser: {(tmp_path / 'sub' / 'page.html').as_uri()}" in capsys.readouterr().out


def test_without_a_window_nothing_is_shown(start, monkeypatch):
    monkeypatch.setattr("matplotlib.pyplot.show", lambda: pytest.fail("shown"))
    lesson.show(drawn(), "shares")


# --- a question -------------------------------------------------------------------------------------------------------
def verdict(answer, truth, **more):
    lesson.check("q", ..., truth, **more)
    return lesson.judge(lesson._run().checks["q"], answer)


@pytest.mark.parametrize(
    ("factor", "said"),
    [
        (1.01, "right"),
        (2, "twice the truth: look for a factor 2 or ½ (mse is r² here, so its slope is 2r)"),
        (0.5, "half the truth: look for a factor 2 or ½"),
        (-1, "the other sign: a residual is pred − target"),
        (32, "n = 32 times the truth: a sum or a mean over samples?"),
        (1 / 32, "1/n of the truth: a sum or a mean over samples?"),
        (7, "K = 7 times the truth: a sum or a mean over classes?"),
        (1 / 7, "1/K of the truth: a sum or a mean over classes?"),
        (100, "100 times the truth: percent?"),
        (0.01, "1/100 of the truth: percent?"),
        (1 / 0.3**2, "the inverse"),
        (math.log(2), "ln 2 times the truth: another base? the logarithm here is ln"),
        (1 / math.log(10), "1/ln 10 of the truth: another base?"),
        (0.3, "the square of the truth"),
        (0.3**-0.5, "the square root of the truth"),
        (1.05, "almost: rounding? carry one more digit"),
        (1.3, "not near; look at panel (b)"),
    ],
)
def test_a_wrong_number_is_explained_by_its_ratio_to_the_truth(start, factor, said):
    assert said in verdict(0.3 * factor, 0.3, factors={"n": 32, "K": 7}, look="panel (b)").text


@pytest.mark.parametrize("factor", [0.72, 1.5, 1.9])
def test_where_much_counts_as_right_little_counts_as_a_mistake_of_one_kind(start, factor):
    assert verdict(0.3 * factor, 0.3, tol=0.2).text == "not near; look at the figures"
    assert "twice the truth" in verdict(0.6, 0.3, tol=0.2).text


def test_a_factor_that_the_question_does_not_name_explains_nothing(start):
    assert verdict(0.3 * 32, 0.3).text == "not near; look at the figures"


def test_two_readings_that_coincide_are_both_said(start):
    said = verdict(30, 0.3, factors={"n": 100}).text
    assert "n = 100 times" in said
    assert "percent?" in said


def test_a_reading_that_only_comes_near_the_first_is_not_said(start):
    assert "percent?" not in verdict(29.7, 0.3, factors={"n": 99}).text


def test_a_function_of_arrays_gets_arrays(start):
    inputs = {"inputs": lambda random: (random.dirichlet(np.ones(4)), np.eye(4)[random.integers(4)])}
    assert verdict(lambda p, y: p - y, lambda p, y: p - y, **inputs).mark == "right"
    assert "other sign" in verdict(lambda p, y: y - p, lambda p, y: p - y, **inputs).text


def test_the_question_s_own_mistakes_come_first(start):
    assert verdict(0.6, 0.3, wrong={0.6: "your opponent has no ½"}).text == "your opponent has no ½"


def test_a_function_is_compared_with_a_function(start):
    p = {"wrong": [(lambda p: 1 / p, "the other factor is 1 − p")]}

    def truth(p):
        return 1 / (p * (1 - p))

    assert verdict(lambda p: 1 / p + 1 / (1 - p), truth, **p).mark == "right"
    assert verdict(lambda p: 1 / p, truth, **p).text == "the other factor is 1 − p"
    assert "twice the truth" in verdict(lambda p: 2 * truth(p), truth, **p).text
    assert "the inverse" in verdict(lambda p: p * (1 - p), truth, **p).text


def test_functions_of_other_things_are_compared_on_inputs_that_the_question_makes(start):
    inputs = {"inputs": lambda random: tuple(random.integers(0, 16, 2))}
    assert verdict(lambda a, b: a + b, lambda a, b: b + a, **inputs).mark == "right"
    assert max(max(pair) for pair in lesson._run().checks["q"]["inputs"]) > 1


def test_arrays_are_compared_entry_by_entry(start):
    assert verdict([1, 2.01, 0], np.array([1, 2, 0])).mark == "right"
    assert verdict([1, 2, 0.5], np.array([1, 2, 0])).mark == "wrong"
    assert "twice" in verdict([2, 4, 0], np.array([1, 2, 0])).text


def test_a_choice_is_one_of_its_words(start):
    question = {"choices": ["mse", "mae"], "wrong": {"mae": "it never settles"}}
    assert verdict("mse", "mse", **question).mark == "right"
    assert verdict("mae", "mse", **question).text == "it never settles"
    assert verdict("huber", "mse", **question).text == "not judged: expected one of mse, mae, got 'huber'"
    assert verdict(..., "mse", **question).text == "open: replace ... by your answer, one of: mse, mae"


def explodes(*_):
    raise RuntimeError("a mistake in the reader's function")


@pytest.mark.parametrize(
    ("answer", "got"),
    [
        (None, "None"),
        ("ten", "'ten'"),
        (math.nan, "nan"),
        (np.array(math.inf), "inf"),
        ([1, 2], "(1, 2)"),
        ([1, [2, 3]], "(1, (2, 3))"),
        (np.zeros((5, 2)), "5 values"),
        (explodes, "your function"),
        (Tensor(1.0, requires_grad=True), "Tensor(1."),
        (1j, "1j"),
    ],
)
def test_what_is_no_answer_is_not_judged_and_ends_nothing(start, capsys, answer, got):
    said = lesson.check("q", answer, 0.3)
    assert said.mark == "open"
    assert said.text.startswith("not judged: expected a number, got ")
    assert got in said.text
    assert "0.3" not in capsys.readouterr().out


def test_a_function_that_fails_is_not_judged(start):
    assert "expected a function of 1 numbers" in verdict(explodes, lambda p: p).text


def odd(answer):
    return "" if answer % 2 else f"{answer} is even"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (3, ("right", "right")),
        (4, ("wrong", "4 is even")),
        ("x", ("open", "not judged: TypeError: not all arguments converted during string formatting")),
        (..., ("open", "open: replace ... by your answer")),
    ],
)
def test_what_a_reader_has_made_is_judged_by_a_function(start, answer, said):
    verdict = lesson.check("q", answer, 1, by=odd)
    assert (verdict.mark, verdict.text) == said


def test_a_judge_is_tried_on_a_right_and_a_wrong_answer_when_nobody_is_there(start, tmp_path):
    start("--out", tmp_path)
    lesson.check("q", ..., 1, by=odd, wrong={2: "even"})
    record = json.loads((tmp_path / "checks.json").read_text())["q"]
    assert record == {"name": "q", "kind": "own", "truth": "right", "wrong": [["2 is even", "even"]]}


def test_a_truth_of_zero_takes_zero_alone(start):
    assert verdict(0, 0).mark == "right"
    assert verdict(0.007, 0).mark == "wrong"
    assert verdict([1, 2, 0.007], np.array([1, 2, 0])).mark == "right"


# --- the marks --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("encoding", "mark"), [("utf-8", "✓"), ("ascii", "+"), ("latin-1", "+")])
def test_marks_are_what_the_terminal_can_show(start, monkeypatch, encoding, mark):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    lesson.check("q", 0.3, 0.3)
    print("½ × σ")
    stream.flush()
    assert stream.buffer.getvalue().decode(encoding).startswith(mark)
