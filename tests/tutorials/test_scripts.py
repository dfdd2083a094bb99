"""Every lesson runs unattended, measures what it should, draws what it may, and judges its readers rightly."""

import re

import numpy as np
import pytest

from minigrad import lesson
from tests.tutorials.running import FACTS, LESSONS, home, run

HARD = 60  # seconds for a run of a lesson; four times that where a test must only not hang
GENERAL = {"2": 2, "½": 0.5, "sign": -1, "100": 100, "1/100": 0.01}
WORDS = {
    "2": "twice the truth",
    "½": "half the truth",
    "sign": "the other sign",
    "100": "percent?",
    "1/100": "percent?",
}
MEASURED = object()  # an answer that depends on the data
QUICK = {"00_engine", "01_first_run"}  # run twice in an ordinary run of the tests

# The answers to the questions, found without the lessons: numbers to 1e-3, functions to 1e-6.
CLOSED_FORMS = {
    "00_engine": {"square": 6, "third": 3},
    "01_first_run": {"ten_classes": 320},
    "02_shapes": {"grad_10": [20, 1, 1], "huber_over_mse": 0.5, "grad_0": 0},
    "03_outlier": {"share_35": MEASURED, "delta": 1},
    "04_p_minus_y": {
        "floor_4": 0.743668,
        "class_weight": lambda p, y, w: w[y.argmax()] * (p - y),
        "smoothing": lambda p, y, eps: p - (1 - eps) * y - eps / len(p),
    },
    "05_saturated": {"ratio_6": 405.4308, "steps_10": 73529.9},
    "06_follow_one_sample": {
        "ratio_from_p": lambda p: 1 / p + 1 / (1 - p),
        "open_paths": lambda d1, d2: (16 - d1) * (16 - d2) / 256,
    },
    "07_depth": {"sixteen": MEASURED, "four_times": MEASURED},
    "08_who_drives": {"thrown_out": MEASURED, "slow_start": MEASURED},
    "10_loss_is_not_metric": {"to_the_flip": 0.001998, "T_best": MEASURED},
    "11_missed_cancer": {
        "threshold_10": 1 / 11,
        "price_02": 4,
        "weighted": lambda z, y, w: (1 + (w - 1) * y) * np.logaddexp(0, z - 2 * z * y),
    },
    "09_fair_race": {"mean_alone": 10, "third_rate": MEASURED},
    "12_landscapes": {"random_share": 2 / (64 * 64 + 64 + 64 * 10 + 10), "factor": 1 / 10},
    "13_your_own_loss": {"quantile": 4 / 5},
    "14_clinic": {},  # seven choices
    "15_atlas": {"hinge_kept": 0, "quantile_low": -0.9, "quarter": 0.25},
}

every_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)


def bounds(said):
    """(least, greatest) of a line of facts.toml, each of the shape of the fact."""
    if not isinstance(said, dict):
        return said
    value = np.asarray(said.get("exact", said.get("near")), float)
    off = said.get("abs", 0) + said.get("rel", 0) * np.abs(value)
    return value - off, value + off


def within(value, said):
    low, high = bounds(said)
    return np.shape(value) == np.shape(low) and bool(np.all((np.asarray(low) <= value) & (value <= np.asarray(high))))


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("import urllib.request; urllib.request.urlopen('http://127.0.0.1:9/')", "a lesson needs no network"),
        ("import socket; socket.socket().connect(('127.0.0.1', 9))", "a lesson needs no network"),
        ("import warnings; warnings.warn('look')", "UserWarning: look"),
        ("import sys; print('psst', file=sys.stderr)", "psst"),
        ("open('stray.txt', 'w').close()", "stray.txt"),
        ("from pathlib import Path; Path.home().joinpath('.stray').touch()", ".stray"),
        ("input('and you? ')", "EOFError"),
    ],
)
def test_what_a_lesson_must_not_do_would_be_found(code, fault, tmp_path):
    path = tmp_path / "99_wrong.py"
    path.write_text(code, encoding="utf-8")
    done = run(path)
    home().joinpath(".stray").unlink(missing_ok=True)
    assert done.stray or done.stderr
    assert fault in done.stderr + "".join(done.stray)


def test_every_lesson_has_an_entry_and_every_entry_a_lesson():
    assert set(FACTS) == {path.stem for path in LESSONS}


@every_lesson
class TestEveryLesson:
    def test_runs_unattended_in_an_empty_home_without_network_and_leaves_nothing_behind(self, path, record_property):
        done = run(path)
        record_property("seconds, of 20 that are meant", round(done.seconds, 1))
        assert done.code == 0, done.stderr
        assert done.stderr == ""
        assert done.stray == []
        assert done.seconds < 4 * HARD

    def test_measures_what_is_listed_and_finds_it_in_its_range(self, path):
        facts, listed = run(path).read("facts"), FACTS[path.stem]["facts"]
        assert set(facts) == set(listed)
        outside = {name: (facts[name], listed[name]) for name in facts if not within(facts[name], listed[name])}
        assert outside == {}

    def test_draws_the_figures_that_are_listed_and_says_what_they_show(self, path):
        done, listed = run(path), FACTS[path.stem]["figures"]
        written = {p.name for p in done.out.iterdir()} - {"facts.json", "checks.json", "alt.json"}
        pages = {f"{name}.html" for name in FACTS[path.stem].get("pages", ())}
        assert written == pages | {f"{name}.{ending}" for name in listed for ending in ("png", "svg")}
        assert set(done.read("alt")) == set(done.looked) == set(listed)

    def test_draws_figures_with_which_nothing_is_wrong(self, path):
        assert {name: seen["lint"] for name, seen in run(path).looked.items() if seen["lint"]} == {}

    def test_says_no_number_beside_a_figure_that_is_neither_drawn_nor_measured(self, path):
        done = run(path)
        for name, text in done.read("alt").items():
            known = set(numbers_of(str([done.looked[name]["numbers"], done.read("facts")])))
            for number in re.findall(r"\d+\.\d+(?!\d)", text):
                digits = len(number.partition(".")[2])
                assert any(abs(value - float(number)) <= 0.5001 * 10**-digits for value in known), (name, number)


def numbers_of(text):
    found = [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?", text)]
    return [*found, *(abs(value) for value in found), *(100 * abs(value) for value in found)]


# --- the questions ----------------------------------------------------------------------------------------------------
def questions(path):
    """The questions of a lesson that can be judged as data."""
    return {name: record for name, record in run(path).read("checks").items() if record["kind"] != "own"}


@every_lesson
def test_every_judge_takes_what_is_right_and_says_what_is_wrong(path):
    for record in run(path).read("checks").values():
        if record["kind"] == "own":
            assert record["truth"] == "right"
            assert record["wrong"]
            assert all(message in said for said, message in record["wrong"])


@every_lesson
class TestEveryQuestion:
    def test_takes_the_truth_also_rounded(self, path):
        for name, record in questions(path).items():
            assert lesson.judge(record, record["truth"]).mark == "right", name
            if record["kind"] != "choice" and record["tol"] > 0.005:
                rounded = [float(f"{value:.3g}") for value in np.ravel(np.asarray(record["truth"], float))]
                assert lesson.judge(record, np.reshape(rounded, np.shape(record["truth"]))).mark == "right", name

    def test_says_to_each_typical_mistake_what_is_wrong_with_it(self, path):
        for name, record in questions(path).items():
            assert record["wrong"], name
            for answer, message, _ in record["wrong"]:
                verdict = lesson.judge(record, answer)
                assert (verdict.mark, verdict.text) == ("wrong", message), name

    def test_names_the_general_mistakes(self, path):
        for name, record in questions(path).items():
            if record["kind"] == "choice" or not np.any(record["truth"]):
                continue
            own = [np.asarray(answer, float) for answer, *_ in record["wrong"]]
            factors = GENERAL | {f"{key} up": size for key, size in record["factors"].items()}
            factors |= {f"{key} down": 1 / size for key, size in record["factors"].items()}
            for key, factor in factors.items():
                answer = factor * np.asarray(record["truth"], float)
                if not any(np.allclose(answer, other, rtol=3 * record["tol"], atol=0) for other in own):
                    said = WORDS.get(key, f"{key[0]} =" if "up" in key else f"1/{key[0]} of")
                    assert said in lesson.judge(record, answer).text, (name, key)

    @pytest.mark.parametrize("answer", [..., None, "ten", float("nan"), np.zeros((3, 1, 7)), [1, [2, 3]], object(), {}])
    def test_is_polite_about_what_is_no_answer(self, path, answer):
        for record in questions(path).values():
            verdict = lesson.judge(record, answer)
            assert verdict.mark == "open"
            assert "open: replace" in verdict.text or "not judged: expected" in verdict.text

    def test_does_not_print_its_answer(self, path):
        for record in questions(path).values():
            if record["kind"] == "number" and np.ndim(record["truth"]) == 0:
                texts = [message for _, message, _ in record["wrong"]]
                texts += [lesson.judge(record, answer).text for answer in (..., 0.123456, None)]
                shown = {f"{record['truth']:.{digits}g}" for digits in (2, 3, 4)} if record["truth"] % 1 else set()
                assert not [text for text in texts if shown & set(re.findall(r"[\d.]+", text))]

    def test_agrees_with_the_closed_form_where_there_is_one(self, path):
        for name, record in questions(path).items():
            known = CLOSED_FORMS[path.stem].get(name)
            if known is not MEASURED and record["kind"] == "number":
                assert record["truth"] == pytest.approx(known, rel=1e-3), name
            if record["kind"] == "function":
                for inputs, truth in zip(record["inputs"], record["truth"], strict=True):
                    assert truth == pytest.approx(known(*map(np.asarray, inputs)), rel=1e-6), name


# --- the same seed, the same numbers ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "path",
    [p if p.stem in QUICK else pytest.param(p, marks=pytest.mark.slow) for p in LESSONS],
    ids=lambda path: path.stem,
)
def test_the_same_seed_gives_the_same_numbers(path):
    assert run(path).read("facts") == run(path, again=1).read("facts")


@pytest.mark.slow
@every_lesson
def test_every_fact_lies_in_its_range_for_ten_seeds(path, capsys):
    found = [run(path).read("facts"), *(run(path, rng=seed).read("facts") for seed in range(1, 10))]
    listed = FACTS[path.stem]["facts"]
    with capsys.disabled():
        print(f"\n{path.stem}")
        for name, said in listed.items():
            values = np.array([facts[name] for facts in found], float)
            print(f"  {name:<20} {np.round(values.min(0), 6)} … {np.round(values.max(0), 6)}   in {said}")
    outside = [(seed, name, facts[name]) for seed, facts in enumerate(found) for name in listed
               if not within(facts[name], listed[name])]  # fmt: skip
    assert outside == []


def test_a_terminal_that_knows_ascii_alone_gets_the_lesson_too():
    done = run(LESSONS[0], encoding="ascii")
    assert (done.code, done.stderr) == (0, "")
    assert done.stdout.isascii()
    assert ". " in done.stdout
