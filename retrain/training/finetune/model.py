"""A module and a head on top of it, as TensorFlow trains them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from retrain.artifacts.safety.tensorflow_graphs import check_saved_model
from retrain.backbones.backbone import BackboneInfo
from retrain.backbones.freeze.saved_model import one_output
from retrain.errors import RetrainError, one_line
from retrain.training.checkpoint import Arrays
from retrain.training.head import Head
from retrain.utils.tensorflow import import_tensorflow

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-7  # Adam's (Kingma and Ba, ICLR 2015)
AVERAGING = 0.98  # the most that a step keeps of the average weights
# Batch normalisation keeps the module's own statistics, those that the frozen graph will use.
ARGUMENTS = {"training": False, "trainable": True}


def trained_of(variables: Iterable[Any], last: int | None) -> list[Any]:
    """Return the last `last` layers of a module's `trainable_variables`.

    All of them for None or a larger number. A layer is a kernel (two axes or more) with the biases
    and batch normalisation that follow it; or, where the list begins with such vectors, as
    tf.Module's do, that come before it.
    """
    variables = list(variables)
    kernels = [i for i, variable in enumerate(variables) if len(variable.shape) > 1]
    if last is None or last >= len(kernels):
        return variables
    starts = kernels if kernels[0] == 0 else [0, *(i + 1 for i in kernels[:-1])]
    return variables[starts[-last] :]


def gpus() -> list[str]:
    """List TensorFlow's names of this machine's GPUs."""
    return [device.name for device in import_tensorflow().config.list_logical_devices("GPU")]


class TrainableModel:
    """The weights that are trained: the module's and, last, the head's.

    With them come Adam's memory and their running average (B. Polyak and A. Juditsky, "Acceleration
    of Stochastic Approximation by Averaging", 1992). The average is what is evaluated and kept: a
    step's own weights are now better, now worse. Of several devices each has a copy and gets its
    part of a batch.
    """

    def __init__(
        self,
        module: Path,
        info: BackboneInfo,
        head: Head,
        *,
        last: int | None,
        class_weights: np.ndarray,
        batch_size: int,
        devices: list[str],
    ) -> None:
        """Load the module and put the head on it.

        Args:
            module: The SavedModel folder.
            info: The facts of its backbone.
            head: Where the head starts.
            last: How many of the module's last layers are trained; None for all.
            class_weights: (C,) the weight of a photo of each class.
            batch_size: Photos of a whole batch.
            devices: Share the batches among them; one or none: where TensorFlow likes.

        Raises:
            RetrainError: The module cannot be trained after all.
        """
        check_saved_model(module)  # again: the folder may have changed since it was frozen
        self.tf = tf = import_tensorflow()
        self.module, self.info, self.batch_size = module, info, batch_size
        self.class_weights = tf.constant(class_weights, tf.float32)
        several = len(devices) > 1
        self.strategy = (
            tf.distribute.MirroredStrategy(devices) if several else tf.distribute.get_strategy()
        )
        with self.strategy.scope():
            self.loaded = tf.saved_model.load(str(module))
            self.weights, self.biases = tf.Variable(head.weights), tf.Variable(head.biases)
            tuned = trained_of(self.loaded.trainable_variables, last)
            self.variables = [*tuned, self.weights, self.biases]
            self.first, self.second = (
                [tf.Variable(tf.zeros(v.shape)) for v in self.variables] for _ in range(2)
            )
            self.average = [tf.Variable(v.read_value()) for v in self.variables]
        parameters = [f.function_type.parameters for f in self.loaded.__call__.concrete_functions]
        self.arguments = {
            name: value
            for name, value in ARGUMENTS.items()
            if any(name in known for known in parameters)
        }
        self._step = tf.function(self._distributed_step, autograph=False)
        self._logits = tf.function(self._all_logits, autograph=False)

    def batches(self, data: Any) -> Any:
        """Return an iterator for `step` over a dataset of pixels [b, H, W, 3] and labels [b]."""
        return iter(self.strategy.experimental_distribute_dataset(data))

    def step(self, batches: Any, rate: float, step: int) -> float:
        """Take the next batch's step, from 1; return the sum of the photos' losses.

        A batch with fewer photos than others moves the weights less.
        """
        tf = self.tf
        # Smaller at first, or the average of a short training would stay near its start.
        averaging = min(AVERAGING, (step + 1) / (step + 10))
        values = (rate, BETA1**step, BETA2**step, averaging)
        numbers = [tf.constant(value, tf.float32) for value in values]
        try:
            return float(self._step(batches, *numbers))
        except (ValueError, TypeError, LookupError) as error:  # when it is traced
            raise RetrainError(
                f"{self.module.absolute()} cannot be fine-tuned ({one_line(error)}): "
                "give another module"
            ) from error

    def logits(self, data: Any) -> np.ndarray:
        """Return the logits (n, C) of a dataset, with the present weights, as for inference."""
        batches = iter(data)
        return np.concatenate([self._logits(batches).numpy() for _ in range(len(data))])

    def state(self) -> Arrays:
        """Return all that a training goes on from."""
        return {name: self._values(group) for name, group in self._groups().items()}

    def restore(self, state: Arrays) -> None:
        """Put back what `state` returned."""
        for name, group in self._groups().items():
            self.assign(group, state[name])

    @property
    def parameters(self) -> int:
        """How many numbers of the module are trained."""
        return sum(int(np.prod(variable.shape)) for variable in self.variables[:-2])

    def averages(self) -> list[np.ndarray]:
        """Return the running averages of the trained variables, in their order."""
        return self._values(self.average)

    def values(self) -> list[np.ndarray]:
        """Return the values of the trained variables, in their order."""
        return self._values(self.variables)

    @staticmethod
    def assign(variables: list[Any], values: list[np.ndarray]) -> None:
        """Set variables to values."""
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)

    def _groups(self) -> dict[str, list[Any]]:
        return {
            "value": self.variables,
            "first": self.first,
            "second": self.second,
            "average": self.average,
        }

    @staticmethod
    def _values(variables: list[Any]) -> list[np.ndarray]:
        return [variable.numpy() for variable in variables]

    def _head(self, pixels: Any) -> Any:
        tf = self.tf
        low, high = self.info.input_range
        images = tf.cast(pixels, tf.float32) * ((high - low) / 255) + low
        if self.info.channels == 1:
            images = tf.image.rgb_to_grayscale(images)
        output = one_output(tf, self.loaded(images, **self.arguments), self.module)
        features = tf.reduce_mean(output, [1, 2]) if output.shape.rank == 4 else output
        return tf.cast(features, tf.float32) @ self.weights + self.biases

    def _all_logits(self, batches: Any) -> Any:
        pixels, _ = next(batches)
        found = self.strategy.run(self._head, (pixels,))
        return self.strategy.experimental_local_results(found)[0]

    # The traced functions ask for the next batch themselves, so its size stays open, and the
    # smaller last batch of an epoch is not traced a second time.
    def _distributed_step(self, batches: Any, *numbers: Any) -> Any:
        losses = self.strategy.run(self._replica_step, (*next(batches), numbers))
        return self.strategy.reduce(self.tf.distribute.ReduceOp.SUM, losses, axis=None)

    def _replica_step(self, pixels: Any, labels: Any, numbers: Any) -> Any:
        rate, power1, power2, averaging = numbers
        tf = self.tf
        context = tf.distribute.get_replica_context()
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(self.variables)
            each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, self._head(pixels))
            loss = tf.reduce_sum(each * tf.gather(self.class_weights, labels))
            penalties = [penalty() for penalty in self.loaded.regularization_losses]
            penalty = tf.add_n(penalties) if penalties else tf.constant(0.0)
            target = loss / self.batch_size + penalty / context.num_replicas_in_sync
        gradients = tape.gradient(target, self.variables)
        if all(gradient is None for gradient in gradients[:-2]):
            raise ValueError("no gradient reaches its variables")
        known = [(i, gradient) for i, gradient in enumerate(gradients) if gradient is not None]
        summed = context.all_reduce(tf.distribute.ReduceOp.SUM, [gradient for _, gradient in known])
        for (i, _), gradient in zip(known, summed, strict=True):
            variable, average = self.variables[i], self.average[i]
            # By handle: each device's copy makes the same change.
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle, m=self.first[i].handle, v=self.second[i].handle,
                beta1_power=power1, beta2_power=power2, lr=rate,
                beta1=BETA1, beta2=BETA2, epsilon=EPSILON, grad=gradient,
            )  # fmt: skip
            tf.raw_ops.AssignSubVariableOp(
                resource=average.handle,
                value=(1 - averaging) * (average.read_value() - variable.read_value()),
            )
        return loss
