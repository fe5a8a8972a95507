"""Recipes: how the networks that ship are trained, and training itself."""

from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from rowloom.model import zoo
from rowloom.model.data import Dataset, fashion_mnist
from rowloom.model.errors import RowloomError
from rowloom.model.nets.dense import perceptron
from rowloom.model.nets.fashion import fashion_bnn
from rowloom.model.nets.formats import FORMATS
from rowloom.model.nets.plain import lenet5
from rowloom.model.nets.seeded import SEEDED
from rowloom.model.nets.threads import one_thread
from rowloom.model.nn import Weighted
from rowloom.model.progress import Progress, Silent, progress_for

HELD_OUT = 5_000
"""Training images kept aside, to choose settings by; never trained with."""

_SPLIT_SEED = 1234


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How to train one network.

    Parameters
    ----------
    description : str
        One line for ``rowloom train --list``.
    network : function
        Returns the untrained module; its output is raw sums [N, classes].
    dataset : function
        Takes a folder or None and returns the data.
    epochs, batch : int
        Passes over the training images, and images a step.
    learning_rate : float
        Peak of Adam's rate, which rises for a tenth of the steps and then falls as a cosine.
    loss_scale : float
        What the raw sums are multiplied by before the softmax of the loss; the network itself has no such scale.
    """

    description: str
    network: Callable[[], nn.Sequential]
    dataset: Callable[[str | PathLike[str] | None], Dataset]
    epochs: int
    batch: int
    learning_rate: float
    loss_scale: float


RECIPES: dict[str, Recipe] = {
    "fashion-bnn": Recipe(
        description="Fashion-MNIST, 4 binary convolutions and a dense layer, 8-bit pixels in",
        network=fashion_bnn,
        dataset=fashion_mnist,
        epochs=20,
        batch=100,
        learning_rate=2e-2,
        loss_scale=1 / 17,
    ),
    "lenet5": Recipe(
        description="Fashion-MNIST, LeNet-5, 8-bit weights and activations",
        network=lenet5,
        dataset=fashion_mnist,
        epochs=4,
        batch=100,
        learning_rate=1e-2,
        loss_scale=1 / 83_000,
    ),
    "tfc-w1a1": Recipe(
        description="Fashion-MNIST, FINN's TFC: three binary dense layers of 64",
        network=lambda: perceptron(64),
        dataset=fashion_mnist,
        epochs=20,
        batch=100,
        learning_rate=2e-2,
        loss_scale=1 / 8,
    ),
} | {
    f"fashion-{name}": Recipe(
        description=f"Fashion-MNIST, 3 convolutions and a dense layer, {form.description}",
        network=form.network,
        dataset=fashion_mnist,
        epochs=8,
        batch=100,
        learning_rate=form.learning_rate,
        loss_scale=1 / form.sum_deviation,
    )
    for name, form in FORMATS.items()
}
"""Every recipe that trains by its name."""


def recipes() -> dict[str, str]:
    """Return the description of every recipe by its name: those that train, then those with random weights."""
    trained = {name: recipe.description for name, recipe in RECIPES.items()}
    seeded = {name: f"random weights, {recipe.description}" for name, recipe in SEEDED.items()}
    return trained | seeded | dict.fromkeys(zoo.MADE, "random weights, for mapper and cycle model")


def train(
    recipe: str,
    *,
    data: str | PathLike[str] | None = None,
    epochs: int | None = None,
    seed: int = 0,
    progress: bool = True,
) -> tuple[nn.Sequential, float]:
    """Train a network on one thread; the same seed and machine give the same network.

    One thread, because sums then do not depend on how many cores there are, and because torch's threads spin while
    they wait for each other: on a busy machine two are many times slower than one.

    Parameters
    ----------
    recipe : str
        One of ``recipes()``.
    data : path or None
        Folder of the data set's files; by default it is found or fetched.
    epochs : int or None
        At least 1; by default the recipe's.
    seed : int
        Of the initial weights, the order of the images and their augmentation.
    progress : bool
        Whether to tell about it on standard error.

    Returns
    -------
    (torch.nn.Sequential, float)
        The trained module, in evaluation mode, and its accuracy on the test images, 0 to 1, measured once.

    Raises
    ------
    RowloomError
        If the recipe is unknown, ``epochs`` is wrong or the data is missing.
    """
    if recipe not in RECIPES:
        raise RowloomError(f"recipe {recipe}", "is unknown", f"must be {' or '.join(RECIPES)}")
    steps = RECIPES[recipe]
    count = steps.epochs if epochs is None else epochs
    if count < 1:
        raise RowloomError("epochs", f"must be at least 1, not {count}")
    dataset = steps.dataset(data)
    torch.manual_seed(seed)
    module = steps.network()
    with one_thread(), progress_for(recipe) if progress else Silent() as shown:
        order = np.random.default_rng(_SPLIT_SEED).permutation(len(dataset.train_images))
        held, used = np.split(order, [min(HELD_OUT, len(order) // 10)])
        _fit(
            module,
            steps,
            (as_input(dataset.train_images[used]), _labels(dataset.train_labels[used])),
            (dataset.train_images[held], dataset.train_labels[held]),
            count,
            seed,
            shown,
        )
        result = accuracy(module, dataset.test_images, dataset.test_labels)
        shown.line(f"test accuracy {result:.2%}")
    return module, result


def accuracy(module: nn.Module, images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> float:
    """Return the share of images [N, H, W, 1] whose greatest sum is at their label; leaves evaluation mode on."""
    module.eval()
    right = 0
    with torch.no_grad():
        for start in range(0, len(images), 500):
            sums = module(as_input(images[start : start + 500]))
            right += int((sums.argmax(1).numpy() == labels[start : start + 500]).sum())
    return right / len(images)


def as_input(images: NDArray[np.uint8]) -> Tensor:
    """Return pixels [N, H, W, C] as the reals 0 to 1 [N, C, H, W] that a module takes."""
    return torch.from_numpy(images.astype(np.float32)).permute(0, 3, 1, 2) / 255


def _labels(labels: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(labels.astype(np.int64))


def _fit(
    module: nn.Sequential,
    recipe: Recipe,
    training: tuple[Tensor, Tensor],
    held_out: tuple[NDArray[np.uint8], NDArray[np.uint8]],
    epochs: int,
    seed: int,
    shown: Progress,
) -> None:
    """Minimize the cross entropy with Adam."""
    images, labels = training
    batch = min(recipe.batch, len(images))
    steps = len(images) // batch
    optimizer = torch.optim.Adam(module.parameters(), lr=recipe.learning_rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step / (steps * epochs)))
    blocks = [each for each in module.modules() if isinstance(each, Weighted)]
    generator = torch.Generator().manual_seed(seed)
    for epoch in range(epochs):
        module.train()
        order = torch.randperm(len(images), generator=generator)
        total = 0.0
        for step in range(steps):
            chosen = order[step * batch : (step + 1) * batch]
            sums = module(_mirror_half(images[chosen], generator))
            loss = functional.cross_entropy(sums * recipe.loss_scale, labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            for block in blocks:
                block.constrain()
            total += loss.item()
            shown.step(epoch * steps + step + 1, epochs * steps)
        share = accuracy(module, *held_out)
        shown.line(f"epoch {epoch + 1} of {epochs}: loss {total / steps:.4f}, held-out accuracy {share:.2%}")


def _rate(done: float) -> float:
    """Return the learning rate, relative to its peak, after a share of the steps."""
    warm_up = 0.1
    if done < warm_up:
        return 0.04 + 0.96 * done / warm_up
    return 0.5 * (1 + float(np.cos(np.pi * min(1.0, (done - warm_up) / (1 - warm_up)))))


def _mirror_half(images: Tensor, generator: torch.Generator) -> Tensor:
    """Return images [N, C, H, W] of which each is mirrored left to right with a chance of one half."""
    mirrored = torch.rand(len(images), generator=generator) < 0.5
    return torch.where(mirrored[:, None, None, None], images.flip(3), images)
