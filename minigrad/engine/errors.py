"""The errors of minigrad, each a subclass of the built-in type that a caller would catch anyway.

Their texts have one form: where: expected what, got what; what to do.
"""


class ShapeError(ValueError):
    """Arrays whose shapes do not fit together."""


class DTypeError(TypeError):
    """An array of a dtype that the operation cannot use."""


class LabelError(ValueError):
    """A class label outside the classes that there are."""


class DomainError(ValueError):
    """A number outside the domain on which the function is defined."""


class GradientError(RuntimeError):
    """A gradient that was asked for and does not exist."""


class PluginError(RuntimeError):
    """A plugin, or a loss that it declares, breaks the contract."""


class UnknownLossError(LookupError):
    """No loss goes by this name."""


class CheckpointError(RuntimeError):
    """A file that is not a whole, well-formed checkpoint."""
