"""Bugs that the field has known, planted one by one into minigrad's own source: each is caught by the test that it names.

The table holds what stands in the source and what a bug would make of it. In the ordinary run each place is looked up, so
that the table cannot fall behind; in the long run each bug is planted into a copy and its test must fail there.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COPIED = ("minigrad", "plugins", "tests", "tutorials", "pyproject.toml")


@dataclass(frozen=True)
class Bug:
    """A bug in one sentence, its file, the text that it changes, what it makes of it, and the test that catches it."""

    sentence: str
    file: str
    old: str
    new: str
    test: str


BUGS = [
    Bug(
        "an array that the caller may write to is kept, not copied",
        "engine/tensor.py",
        (
            "        if owner.flags.writeable:\n"
            "            value = np.array(value)\n"
            "            value.setflags(write=False)\n"
            "            return value\n"
        ),
        ("        if owner.flags.writeable:\n            return value\n"),
        "tests/engine/test_graph.py::TestMemoryIsNotShared::test_whatever_passes_the_gradient_on[<lambda>0-False]",
    ),
    Bug(
        "a backward pass uses a value that an optimizer has overwritten",
        "engine/op.py",
        "if isinstance(leaf, Leaf) and leaf.changed > node.number:",
        "if False:",
        "tests/engine/test_graph.py::TestWhatBackwardRefuses::test_a_parameter_that_changed_since[data]",
    ),
    Bug(
        "a view of an overwritten value is taken for a value of its own",
        "engine/op.py",
        ("            leaf = source(one)\n"),
        ("            leaf = one\n"),
        "tests/engine/test_graph.py::TestWhatBackwardRefuses::test_a_parameter_that_changed_behind_a_view[<lambda>0]",
    ),
    Bug(
        "an optimizer tells nobody that it has changed the parameters",
        "optim/flat.py",
        "            p.edge.changed = moment",
        "            p.edge.changed = 0",
        "tests/optim/test_optimizer.py::TestAStep::test_makes_a_backward_through_older_values_an_error",
    ),
    Bug(
        "an assignment to data tells nobody",
        "engine/tensor.py",
        ("            np.copyto(self._data, value)\n            self.edge.changed = now()"),
        "            np.copyto(self._data, value)",
        "tests/engine/test_graph.py::TestWhatBackwardRefuses::test_a_parameter_that_changed_since[data]",
    ),
    Bug(
        "the result of an op can be written to",
        "engine/tensor.py",
        (
            "    array.setflags(False)  # type: ignore[call-arg]  # half the time of write=False\n"
            "    t._data, t.edge = array, edge"
        ),
        "    t._data, t.edge = array, edge",
        "tests/engine/test_tensor.py::TestAssignment::test_computed_data_cannot_be_written_to",
    ),
    Bug(
        "a gradient shares memory with the seed or with a view",
        "engine/tensor.py",
        "if type(data) is not np.ndarray or data.base is not None or not data.flags.writeable or id(data) in taken:",
        "if type(data) is not np.ndarray or id(data) in taken:",
        "tests/engine/test_graph.py::TestMemoryIsNotShared::test_whatever_passes_the_gradient_on[<lambda>4-False]",
    ),
    Bug(
        "a rule hands a saved array on as gradient",
        "engine/op.py",
        "                return part + 0  # a saved array belongs to somebody else",
        "                return part",
        "tests/engine/test_graph.py::TestMemoryIsNotShared::test_a_rule_that_returns_what_is_saved_gives_a_copy",
    ),
    Bug(
        "the axis that was broadcast from side 1 is not summed",
        "engine/sums.py",
        "if side == 1 and a.shape[lead + i] != 1",
        "if False",
        "tests/engine/test_broadcasting.py::test_shapes_that_broadcast_give_right_values_and_gradients[add]",
    ),
    Bug(
        "the axes that broadcasting has put in front are not summed",
        "engine/sums.py",
        "    axes = (*range(lead), *",
        "    axes = (*range(0), *",
        "tests/engine/test_broadcasting.py::test_shapes_that_broadcast_give_right_values_and_gradients[add]",
    ),
    Bug(
        "of a tensor used twice the last gradient counts",
        "engine/graph.py",
        "arrived[edge] = arrived[edge] + part",
        "arrived[edge] = part",
        "tests/engine/test_graph.py::TestAddingUp::test_a_tensor_used_twice_receives_both_gradients",
    ),
    Bug(
        "a second backward pass replaces the gradient of the first",
        "engine/tensor.py",
        ("            if old is None:\n                leaf.grad = gradient"),
        ("            if True:\n                leaf.grad = gradient"),
        "tests/engine/test_graph.py::TestAddingUp::test_gradients_of_several_backward_passes_add_up_until_they_are_cleared",
    ),
    Bug(
        "a graph that was consumed can be walked again",
        "engine/graph.py",
        ("            if not retain_graph:\n                node.free()"),
        ("            if False:\n                node.free()"),
        "tests/engine/test_graph.py::TestASecondPass::test_over_a_consumed_graph_is_refused",
    ),
    Bug(
        "nodes are taken in the order in which they were found",
        "engine/graph.py",
        "heappush(queue, (-edge.number, edge))",
        "queue.append((-edge.number, edge))",
        "tests/engine/test_graph.py::TestHooks::test_see_the_whole_gradient_once",
    ),
    Bug(
        "a recorded tensor can be pickled, with its graph",
        "engine/tensor.py",
        (
            "        if isinstance(self.edge, Node):\n"
            "            raise GradientError(\n"
            '                "Tensor: expected a leaf or a constant to copy'
        ),
        (
            "        if False:\n"
            "            raise GradientError(\n"
            '                "Tensor: expected a leaf or a constant to copy'
        ),
        "tests/engine/test_tensor.py::TestComparisonsAndCopies::test_leaves_and_constants_can_be_copied_and_computed_tensors_cannot[deepcopy]",
    ),
    Bug(
        "a slope that is not finite spoils what was left out",
        "engine/op.py",
        "        return g * np.where((g == 0) & ~np.isfinite(slope), 0, slope)",
        "        return product",
        "tests/engine/test_singular_points.py::test_the_convention_holds_in_first_and_second_order[logaddexp of \\u2212\\u221e only: 0-float64]",
    ),
    Bug(
        "where multiplies by its mask",
        "engine/op.py",
        ('        if getattr(slope, "dtype", None) == np.bool_:\n            return np.where(slope, g, 0)\n'),
        "",
        "tests/engine/test_op.py::TestMasksAndSlopesThatAreNotFinite::test_a_mask_lets_nothing_through_that_it_does_not_choose[inf]",
    ),
    Bug(
        "the slope of relu at 0 is 1",
        "engine/fused.py",
        "    x=lambda x: ~(x <= 0),",
        "    x=lambda x: ~(x < 0),",
        "tests/engine/test_singular_points.py::test_the_convention_holds_in_first_and_second_order[relu at 0: the left slope-float64]",
    ),
    Bug(
        "maximum gives all of a tie to its first argument",
        "engine/rules/elementwise.py",
        (
            "    x=lambda g, x, y: _won(g, (x > y) | np.isnan(x), x == y),\n"
            "    y=lambda g, x, y: _won(g, (y > x) | np.isnan(y), x == y),\n"
            ")\n"
            "minimum"
        ),
        (
            "    x=lambda g, x, y: _won(g, (x >= y) | np.isnan(x), x == y),\n"
            "    y=lambda g, x, y: _won(g, (y > x) | np.isnan(y), x == y),\n"
            ")\n"
            "minimum"
        ),
        "tests/engine/test_singular_points.py::test_the_convention_holds_in_first_and_second_order[maximum at equal arguments: one half each-float64]",
    ),
    Bug(
        "max counts every tie as the largest",
        "engine/rules/reductions.py",
        "(equal / equal.sum(axes_of(axis, a.ndim), keepdims=True)).astype(a.dtype)",
        "equal.astype(a.dtype)",
        "tests/engine/test_singular_points.py::test_the_convention_holds_in_first_and_second_order[max of equal values: an equal share each-float64]",
    ),
    Bug(
        "clip stops the gradient at its bounds",
        "engine/rules/elementwise.py",
        "(a_min is None or ~(a < a_min))",
        "(a_min is None or a > a_min)",
        "tests/engine/test_singular_points.py::test_the_convention_holds_in_first_and_second_order[clip at a bound: x-float64]",
    ),
    Bug(
        "std of a constant divides by 0",
        "engine/rules/reductions.py",
        "np.where(out == 0, 0, 1 / np.where(out == 0, 1, out))",
        "(1 / out)",
        "tests/engine/test_singular_points.py::test_the_convention_holds_in_first_and_second_order[std of a constant: 0-float64]",
    ),
    Bug(
        "prod divides by its entries",
        "engine/rules/reductions.py",
        "    return spread(g, a.shape, axis) * back(_before(rows) * np.flip(_before(np.flip(rows, 1)), 1))",
        "    return spread(g, a.shape, axis) * back(np.prod(rows, 1, keepdims=True) / rows)",
        "tests/engine/test_singular_points.py::test_the_convention_holds_in_first_and_second_order[prod with one zero: of the others, there-float64]",
    ),
    Bug(
        "the norm of a zero vector has no gradient",
        "engine/rules/elementwise.py",
        "    return np.where(r == 0, 0, x / np.where(r == 0, 1, r))",
        "    return x / r",
        "tests/engine/test_singular_points.py::test_the_convention_holds_in_first_and_second_order[2-norm at 0: 0-float64]",
    ),
    Bug(
        "softmax is taken without its largest score",
        "engine/fused.py",
        "    return rows - rows.take(top)[:, None], top",
        "    return rows - 0 * rows.take(top)[:, None], top",
        "tests/losses/test_tails.py::test_no_value_and_no_slope_is_wrong_from_the_smallest_number_to_the_largest[cross_entropy-float64]",
    ),
    Bug(
        "what the score of the label lacks of 1 is found by subtraction",
        "engine/fused.py",
        "    e.put(place, 0)\n    others = _sums(e)\n",
        "    others = _sums(e) - own\n",
        "tests/losses/test_tails.py::test_no_value_and_no_slope_is_wrong_from_the_smallest_number_to_the_largest[cross_entropy-float64]",
    ),
    Bug(
        "sigmoid overflows",
        "engine/fused.py",
        ("    e = once(_tail, x)\n    return np.maximum(e, x >= 0) / (1 + e)"),
        "    return 1 / (1 + np.exp(-x))",
        "tests/losses/test_tails.py::test_no_value_and_no_slope_is_wrong_from_the_smallest_number_to_the_largest[focal-float64]",
    ),
    Bug(
        "a label of −1 wraps around to the last class",
        "losses/guards.py",
        ("    if low >= 0 and high < classes:\n        return"),
        ("    if high < classes:\n        return"),
        "tests/losses/test_calling_errors.py::test_a_wrong_call_says_where_what_and_what_to_do[cross_entropy: expected labels 0 \\u2026 9, got -100 at ]",
    ),
    Bug(
        "a label beyond the classes is read from the next row",
        "losses/guards.py",
        ("    if low >= 0 and high < classes:\n        return"),
        ("    if low >= 0:\n        return"),
        "tests/losses/test_calling_errors.py::test_a_wrong_call_says_where_what_and_what_to_do[cross_entropy: expected labels 0 \\u2026 9, got 10 at ro]",
    ),
    Bug(
        "nothing left to average is NaN",
        "losses/calling.py",
        "    if count == 0 or (",
        "    if (",
        "tests/losses/test_calling_rules.py::test_where_nothing_is_selected_the_loss_is_0_connected_with_gradient_0[nll]",
    ),
    Bug(
        "prediction and target are broadcast against each other",
        "losses/guards.py",
        ("    elif got != batch:\n        what ="),
        ("    elif False:\n        what ="),
        "tests/losses/test_calling_errors.py::test_a_wrong_call_says_where_what_and_what_to_do[mse: expected pred and target of one shape, got pr0]",
    ),
    Bug(
        "a factor of 0 times −∞ is NaN",
        "losses/targets.py",
        "np.sum(target * np.where(target == 0, 0, v), -1)",
        "np.sum(target * v, -1)",
        "tests/losses/test_calling_rules.py::test_masked_entries_never_enter_arithmetic[nan-embedding:supcon]",
    ),
    Bug(
        "sample weights are not in the denominator of the weighted mean",
        "losses/calling.py",
        '    if reduction == "weighted_mean" and weight is not None:',
        "    if False:",
        "tests/losses/test_calling_rules.py::test_each_reduction_is_its_formula_and_mean_is_the_default[mse]",
    ),
    Bug(
        "masked entries enter the arithmetic",
        "losses/calling.py",
        "    used, seen = filled(pred.data, mask), filled(target, mask)",
        "    used, seen = pred.data, target",
        "tests/losses/test_calling_rules.py::test_masked_entries_never_enter_arithmetic[nan-mse]",
    ),
    Bug(
        "gradients of biases are added up row by row in float32",
        "engine/sums.py",
        ("    n, blocks = len(a), len(a) // BLOCK\n"),
        ("    return np.cumsum(a, 0)[-1]\n    n, blocks = len(a), len(a) // BLOCK\n"),
        "tests/engine/test_rules.py::test_a_rule_gives_the_second_derivative_too[sum]",
    ),
    Bug(
        "means of losses are added up one after the other in float32",
        "engine/sums.py",
        ("    n = a.size\n"),
        ("    return float(np.cumsum(a.reshape(-1), dtype=a.dtype)[-1])\n    n = a.size\n"),
        "tests/losses/test_calling_examples.py::test_a_sum_in_float32_is_added_in_float64",
    ),
    Bug(
        "gradients of integers are given",
        "engine/guards.py",
        ('    if dtype not in FLOATS:\n        raise DTypeError(\n            f"Tensor: expected floats to require'),
        ('    if False:\n        raise DTypeError(\n            f"Tensor: expected floats to require'),
        "tests/engine/test_tensor.py::TestWhatATensorIsMadeOf::test_whole_numbers_have_no_gradient[data0]",
    ),
    Bug(
        "a float32 leaf gets a float64 gradient",
        "engine/op.py",
        ("        return part if part.dtype == edge.dtype else part.astype(edge.dtype)\n\n    def _by_reference"),
        ("        return part\n\n    def _by_reference"),
        "tests/engine/test_rules.py::test_float32_in_gives_float32_out_forward_and_backward[power]",
    ),
    Bug(
        "a node keeps the tensors, and they keep it",
        "engine/op.py",
        "        return wrap(out, Node(self, tuple(edges), saved, out.shape, out.dtype))",
        (
            "        made = wrap(out, Node(self, tuple(edges), saved, out.shape, out.dtype))\n"
            '        saved[""] = made\n'
            "        return made"
        ),
        "tests/engine/test_memory.py::TestNothingIsLeftBehind::test_no_object_and_no_memory_survives_a_step[never_walked]",
    ),
    Bug(
        "no_grad does not give the mode back",
        "engine/graph.py",
        ("    token = recording.set(False)\n    try:\n        yield\n    finally:\n        recording.reset(token)"),
        ("    token = recording.set(False)\n    yield\n    recording.reset(token)"),
        "tests/engine/test_concurrency.py::TestGradMode::test_the_mode_returns_after_an_exception",
    ),
    Bug(
        "a loss that leaves the grad mode changed changes it for all",
        "losses/evaluating.py",
        ("            if recording.get() is not mode:\n                recording.set(mode)"),
        "            pass",
        "tests/losses/test_calling_errors.py::test_a_function_that_changes_the_grad_mode_does_so_for_nobody_else",
    ),
    Bug(
        "a reduction over several axes is spread over the first alone",
        "engine/rules/reductions.py",
        "    return tuple(a % ndim for a in (axis if isinstance(axis, (tuple, list)) else (axis,)))",
        "    return tuple(a for a in (axis if isinstance(axis, (tuple, list)) else (axis,)))",
        "tests/engine/test_reductions.py::TestAxes::test_are_counted_from_the_end_too[sum]",
    ),
    Bug(
        "mean counts all entries, whatever the axes",
        "engine/rules/reductions.py",
        "    return math.prod(shape[a] for a in axes_of(axis, len(shape)))",
        "    return math.prod(shape)",
        "tests/engine/test_reductions.py::test_over_every_set_of_axes_value_and_gradient_are_right[mean]",
    ),
    Bug(
        "a product gives the gradient of its other factor",
        "engine/rules/elementwise.py",
        "multiply = elementwise(np.multiply, x=lambda y: y, y=lambda x: x)",
        "multiply = elementwise(np.multiply, x=lambda x: x, y=lambda y: y)",
        "tests/engine/test_rules.py::test_a_rule_gives_the_derivative_of_the_function[multiply]",
    ),
    Bug(
        "the slope of tanh is 1 − out",
        "engine/rules/elementwise.py",
        "tanh = elementwise(np.tanh, x=lambda out: 1 - out * out)",
        "tanh = elementwise(np.tanh, x=lambda out: 1 - out)",
        "tests/engine/test_rules.py::test_a_rule_gives_the_derivative_of_the_function[tanh]",
    ),
    Bug(
        "a run goes on with the best weights instead of the last",
        "checkpoint/content.py",
        "        ready = model._matched(self.last)",
        "        ready = model._matched(self.best or self.last)",
        "tests/test_resuming.py::test_a_process_that_is_killed_again_and_again_ends_in_the_same_bytes",
    ),
    Bug(
        "the order of an epoch does not depend on it",
        "training.py",
        "np.random.default_rng((self.key, 1, epoch)).permutation(n)",
        "np.random.default_rng((self.key, 1)).permutation(n)",
        "tests/test_training.py::TestARun::test_visits_every_sample_once_in_an_epoch_in_a_new_order",
    ),
    Bug(
        "a resumed run begins its epoch anew",
        "resuming.py",
        "run.epoch, run.step, run.total, run.count = found.epoch, found.step,",
        "run.epoch, run.step, run.total, run.count = found.epoch, 0,",
        "tests/test_resuming.py::test_a_process_that_is_killed_again_and_again_ends_in_the_same_bytes",
    ),
    Bug(
        "a file is written in place",
        "checkpoint/disk.py",
        ("        _write_new(temporary, data, mode)\n        os.replace(temporary, target)"),
        '        open(target, "wb").write(data)',
        "tests/checkpoint/test_disk.py::test_when_any_call_fails_the_file_is_the_old_or_the_new_one_and_no_other_is_left[1-28]",
    ),
    Bug(
        "a write that is cut short counts as done",
        "checkpoint/disk.py",
        "            rest = rest[count:]",
        "            rest = rest[len(rest):]",
        "tests/checkpoint/test_disk.py::test_when_any_call_fails_the_file_is_the_old_or_the_new_one_and_no_other_is_left[6-short]",
    ),
    Bug(
        "a failed write leaves its temporary file",
        "checkpoint/disk.py",
        ("        with suppress(OSError):\n            os.unlink(temporary)\n"),
        "",
        "tests/checkpoint/test_disk.py::test_when_any_call_fails_the_file_is_the_old_or_the_new_one_and_no_other_is_left[5-28]",
    ),
    Bug(
        "compressed entries are expanded",
        "checkpoint/archive.py",
        "info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size or info.flag_bits & ~0x800",
        "info.flag_bits & ~0x800",
        "tests/checkpoint/test_damaged_files.py::test_a_hostile_file_is_refused_with_its_reason_in_little_time_and_memory[a compressed entry]",
    ),
    Bug(
        "a shape is believed before the bytes are counted",
        "checkpoint/archive.py",
        "    if math.prod(shape) * DTYPES[descr] != len(data) - 10 - length:",
        "    if False:",
        "tests/checkpoint/test_damaged_files.py::test_a_hostile_file_is_refused_with_its_reason_in_little_time_and_memory[a shape of 10\\xb9\\xb2]",
    ),
    Bug(
        "a checksum is not looked at",
        "checkpoint/archive.py",
        " or zlib.crc32(found[name]) != info.CRC",
        "",
        "tests/checkpoint/test_damaged_files.py::test_every_flipped_bit_is_refused_or_leaves_the_content_equal",
    ),
    Bug(
        "of a key that stands twice the last counts",
        "checkpoint/archive.py",
        "    if len(found) < len(pairs):",
        "    if False:",
        "tests/checkpoint/test_damaged_files.py::test_a_hostile_file_is_refused_with_its_reason_in_little_time_and_memory[a key twice]",
    ),
    Bug(
        "one plugin that fails stops all",
        "losses/registry.py",
        (
            "            except Exception as error:\n"
            "                self.problems[owner.pack] = problem_of(owner, error)"
        ),
        (
            "            except ImportError as error:\n"
            "                self.problems[owner.pack] = problem_of(owner, error)"
        ),
        "tests/losses/test_plugin_faults.py::test_a_pack_that[raises-when-imported]",
    ),
    Bug(
        "a plugin that exits ends the program",
        "losses/offers.py",
        "    except (Exception, SystemExit) as error:",
        "    except Exception as error:",
        "tests/losses/test_plugin_faults.py::test_a_pack_that[exits-when-imported]",
    ),
    Bug(
        "a plugin that failed stays registered",
        "losses/registry.py",
        ("        except BaseException:\n            self.manager.unregister(name=who)\n            if before"),
        ("        except BaseException:\n            if before"),
        "tests/losses/test_plugin_faults.py::test_a_pack_that[exits-inside-its-hook]",
    ),
    Bug(
        "of two packs with one name the first wins",
        "losses/registry.py",
        ('        if len(found) > 1:\n            both = " and ".join(f"{loss.full_name}'),
        ('        if False:\n            both = " and ".join(f"{loss.full_name}'),
        "tests/losses/test_plugin_faults.py::test_a_bare_name_that_two_packs_offer_is_refused_in_whatever_order_they_come[packs0]",
    ),
    Bug(
        "an installed pack replaces a built-in loss",
        "losses/registry.py",
        "        for known in [pack] if colon else OWN:",
        "        for known in [pack] if colon else [*sorted(set(self.losses) - set(OWN)), *OWN]:",
        "tests/losses/test_plugin_faults.py::test_a_bare_name_that_two_packs_offer_is_refused_in_whatever_order_they_come[packs0]",
    ),
    Bug(
        "a pack that the allow-list leaves out is imported",
        "losses/registry.py",
        "(pack not in names) is left_out",
        "False is left_out",
        "tests/losses/test_registry.py::test_the_variable_lets_in_the_packs_that_it_lists[-left0]",
    ),
]
every = pytest.mark.parametrize("bug", BUGS, ids=[bug.sentence for bug in BUGS])


@every
def test_the_place_of_a_planted_bug_is_there_once_and_so_is_the_test_that_catches_it(bug):
    assert (ROOT / "minigrad" / bug.file).read_text(encoding="utf-8").count(bug.old) == 1
    path, _, name = bug.test.partition("::")
    assert f"def {name.rpartition('::')[2].partition('[')[0]}(" in (ROOT / path).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of what is tested and of its tests."""
    folder = tmp_path_factory.mktemp("planted")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder)
    return folder


def status(folder, *tests):
    """The exit status of pytest on some tests of a copy: 0 if all pass, 1 if some fail."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "0", "-p", "no:cacheprovider", *tests]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False).returncode


@pytest.mark.slow
def test_without_a_bug_all_these_tests_pass(copy):
    assert status(copy, *dict.fromkeys(bug.test for bug in BUGS)) == 0


@pytest.mark.slow
@every
def test_a_planted_bug_is_caught(copy, bug):
    path = copy / "minigrad" / bug.file
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(bug.old, bug.new), encoding="utf-8")
    try:
        assert status(copy, bug.test) == 1
    finally:
        path.write_text(text, encoding="utf-8")
