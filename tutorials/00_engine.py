"""The engine by hand.

Question: What does `backward()` do?
Builds on: the chain rule.
Data: six numbers.
Takes: 1 second.
"""

# %% [markdown]
# ## Question
# Everything in this course rests on one call. You compute something from tensors, call `backward()` at the end, and
# every tensor that asked for a gradient has one. What does `backward()` do?

# %%
import numpy as np

from minigrad import Tensor, elementwise, figures, grad, gradcheck
from minigrad.lesson import check, fact, predict, show

# %% [markdown]
# ## Predict

# %%
predict("nodes", ..., "z = x @ w, then z.sum(): how many operations will the engine have to remember?")
predict("w_grad", ..., "x has the rows (1, 2), (3, 4), (5, 6), w is (1, −1). The first entry of w.grad will be:")

# %% [markdown]
# ## Experiment
# Six numbers and two. While you compute, the engine writes down how: which operation, of which inputs, and what it will
# need later. `tree()` shows what is written, the newest operation first, and below each operation what it was made of.
# The letters are the operation's own: the y of `matmul` is our w.

# %%
x = Tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], requires_grad=True)
w = Tensor([1.0, -1.0], requires_grad=True)
z = x @ w
total = z.sum()
before = total.tree()
print(before)

# %% [markdown]
# Now backwards. It starts with a 1: the sum changes by 1 if the sum changes by 1. `sum` hands back a 1 for every row,
# since the sum grows by 1 with each of them. `matmul` makes two things of these ones: for w it adds up the rows of x,
# for x it gives every row a copy of w. As a rule only the leaves keep what arrives; here all are asked to.

# %%
z.retain_grad()
total.retain_grad()
total.backward(retain_graph=True)
print(total.tree())
first = w.grad.numpy().copy()

# %% [markdown]
# Build the graph a second time, run it again, and look at w: gradients add up until somebody clears them.

# %%
(x @ w).sum().backward()
again = w.grad.numpy().copy()
print(again)

# %% [markdown]
# What an operation knows of calculus is one line. In the engine stands `multiply = elementwise(np.multiply, x=lambda y:
# y, y=lambda x: x)`. Read it as an equation, ∂(xy)/∂x is y: each argument is named and gets its slope, and the slope's
# own arguments say what must be kept until then. For a function of ours the same line looks so.

# %%
product = elementwise(lambda x, y: x * y, x=lambda y: y, y=lambda x: x, name="product")
print("at (3, 4) the slopes of the product are", *map(float, grad(product, wrt=(0, 1))(3.0, 4.0)))

# %% [markdown]
# So a new operation is its formula and its slope. Softsign is x/(1 + |x|), its slope (1 − |out|)², and `gradcheck`
# compares this with differences of values. The same rule gives the second derivative, because a slope is computed by
# operations that have slopes.


# %%
def formula(x):
    return x / (1 + np.abs(x))


softsign = elementwise(formula, x=lambda out: (1 - np.abs(out)) ** 2, name="softsign")
points = np.array([-2.0, -0.7, 0.4, 1.0, 3.0])
judged = gradcheck(softsign, points)
at_1 = [softsign(1.0), grad(softsign)(1.0), grad(grad(softsign))(1.0), grad(softsign)(0.0)]

wrong = elementwise(formula, x=lambda out: 1 - np.abs(out), name="softsign without the square")
refused = gradcheck(wrong, np.array(1.0), raises=False)
print(refused.worst)

# %% [markdown]
# ## Figure

# %%
show(figures.graph(total), "graph")

# %% [markdown]
# ## The way back
# Once more from the start, from the sum to w, and beside it by hand: a 1, then three of them, then xᵀ times these
# three.

# %%
x.grad = w.grad = None  # what zero_grad does
z = x @ w
total = z.sum()
z.retain_grad()
total.backward(retain_graph=True)
print(total.tree())
ones = np.ones(3)
by_hand = x.numpy().T @ ones
print("by hand: xᵀ·1 =", by_hand, "and 1·wᵀ =", np.outer(ones, w.numpy()).tolist())

# %% [markdown]
# ## Measured

# %%
fact(
    "nodes", sum("leaf" not in line for line in before.splitlines()), "operations written down: {value}, matmul and sum"
)
fact("w_grad", first, "w.grad is {value}, the sums of the columns of x")
fact("x_grad", x.grad.numpy(), "x.grad is {value}: each row is w")
fact("by_hand", np.abs(by_hand - w.grad.numpy()).max(), "between xᵀ·1 and what backward left: {value:.0f}")
fact("again", again, "w.grad after a second run: {value}")
fact(
    "softsign",
    at_1,
    "softsign at 1 has the value {value[0]}, slope {value[1]}, second derivative {value[2]}; at 0 slope {value[3]}",
)
fact("gradcheck_error", judged.error, "between its rule and differences of its values: {value:.0e}")
fact(
    "planted",
    [grad(wrong)(1.0), grad(softsign)(1.0)],
    "without the square its slope at 1 is {value[0]} instead of {value[1]}",
)
fact("refused", not refused, "and gradcheck refuses it: {value}")

# %% [markdown]
# ## Practice
# 1. The gradient of `x * x` at x = 3?

# %%
t = Tensor(3.0, requires_grad=True)
(t * t).backward()
check("square", ..., t.grad.item(), wrong={
    3: "one of two uses: a tensor used twice receives both gradients",
    9: "the value",
}, look="the tree of t * t")  # fmt: skip

# %% [markdown]
# 2. Run the graph a third time. How many times its first value is w.grad then?

# %%
for _ in range(2):
    (x @ w).sum().backward()
check(
    "third",
    ...,
    w.grad.numpy()[0] / first[0],
    wrong={1: "gradients add up until `zero_grad`", 2: "so it was after two runs", 4: "a run adds, it does not double"},
    look="what a second run did",
)

# %% [markdown]
# 3. Write an operation of your own, anything smooth for 0 < x < 1: `elementwise(formula, x=lambda …: …, name="…")`.


# %%
def by_gradcheck(own):
    found = gradcheck(own, np.array([0.2, 0.5, 0.8]), raises=False)
    return "" if found else found.worst


cube = elementwise(lambda x: x**3, x=lambda x: 3 * x**2, name="cube")
check("own_op", ..., cube, by=by_gradcheck, wrong=[(wrong, "the rule says")])

# %% [markdown]
# ## Remember
# `backward()` walks the written graph from the last operation to the first, starts with a 1 and multiplies by slopes.
# What arrives at a tensor on several ways adds up, and stays until it is cleared.
