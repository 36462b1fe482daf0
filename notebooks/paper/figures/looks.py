"""How arms, datasets and optimisers look and are called, the same on every page."""

from collections.abc import Sequence

from lib.activations import OPTIMISERS

# One look per arm, the same on every page: colour of the cycle, marker, line.
ARMS = {
    "ReLU": ("C0", "o", "-"),
    "learned from ReLU": ("C1", "s", "--"),
    "learned from zeros": ("C2", "^", "-"),
    "layer-specific": ("C3", "D", "-."),
    "tanh": ("C3", "D", "-."),  # never on a page with the layer-specific ones
    "GELU": ("C1", "s", "--"),  # these three: transformer and convolutional network
    "best by hand": ("C3", "D", "-."),
    "learned": ("C2", "^", "-"),
    "learned inputs": ("C4", "P", "-"),
    "linear": ("C5", "x", ":"),
    "k-NN": ("C6", "v", ":"),
    "boosted trees": ("C7", "*", "-"),
}
LABELS = {
    "tanh": "tanh, tuned slope",
    "learned from zeros": "learned AF (zeros)",
    "learned from ReLU": "learned AF (ReLU)",
    "learned inputs": "input activations",
}


def look(arm: str) -> dict:
    """Colour, marker and line style of an arm, as keyword arguments of ``plot``."""
    colour, marker, line = ARMS[arm]
    return {"color": colour, "marker": marker, "linestyle": line}


def label(arm: str) -> str:
    """How an arm is written where hidden (AF) and input activations are compared.

    Example:
        >>> label("learned inputs")
        'input activations'
    """
    return LABELS.get(arm, arm)


def two_lines(arm: str, short: bool = False) -> str:
    """The label of an arm for a place without the width for it; short: and not even for the kind of the model.

    Example:
        >>> two_lines("learned from zeros"), two_lines("learned from zeros", short=True)
        ('learned AF\\n(zeros)', 'AF\\n(zeros)')
    """
    text = label(arm).replace(" (", "\n(").replace(", ", ",\n").replace("input ", "input\n")
    return text.replace("learned ", "").replace("boosted ", "") if short else text


def name_of_arm(arm: str) -> str:
    """How an arm is written elsewhere: by its name in the records, but for input activations.

    Example:
        >>> name_of_arm("learned from zeros"), name_of_arm("learned inputs")
        ('learned from zeros', 'input activations')
    """
    return label(arm) if arm == "learned inputs" else arm


def name_of(data: str) -> str:
    """How a dataset is written in titles.

    Example:
        >>> name_of("fashion_mnist")
        'Fashion-MNIST'
    """
    names = {
        "mnist": "MNIST",
        "fashion_mnist": "Fashion-MNIST",
        "cifar10": "CIFAR-10",
        "cifar10-full": "CIFAR-10 (all)",
        "svhn": "SVHN",
        "digits": "digits (8×8)",
        "breast_cancer": "breast cancer",
    }
    return names.get(data, data)


WEIGHTS = {"default": "PyTorch's", "glorot": "Glorot", "he": "He"}  # initialisations, as they are written


def optimiser(name: str) -> str:
    """How an optimiser is written.

    Example:
        >>> optimiser("adam")
        'Adam'
    """
    return OPTIMISERS.get(name, name)


def span(values: Sequence[float], digits: int = 0) -> str:
    """The least and the greatest of values.

    Example:
        >>> span([70.8, 86.4, 71.0]), span([40.04, 39.98], 1)
        ('71 to 86', '40.0')
    """
    low, high = (f"{end(values):.{digits}f}" for end in (min, max))
    return low if low == high else f"{low} to {high}"


def plus_minus(mean: float, half_width: float, digits: int = 1, scale: float = 100) -> str:
    """Mean and half width in one string.

    Example:
        >>> plus_minus(0.5312, 0.004)
        '53.1 ± 0.4'
    """
    return f"{scale * mean:.{digits}f} ± {scale * half_width:.{digits}f}"
