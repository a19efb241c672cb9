"""Input specs of graphs that retrain wrote, from their manifest."""

from retrain.artifacts.detect import Format
from retrain.artifacts.manifest import Manifest
from retrain.data.decoding.decode import Recipe
from retrain.inference.config import Overrides
from retrain.inference.spec.facts import Fact, GraphFacts

SOURCE = "the manifest"


def named_layer_facts(manifest: Manifest, format: Format, overrides: Overrides) -> GraphFacts:
    """Return the facts in the manifest of a graph whose layers have the manifest's names.

    The user's overrides of the layers come first.
    """
    layer, output = overrides.input_layer, overrides.output_layer
    return manifest_facts(
        manifest,
        format,
        Fact(layer, "--input_layer") if layer else None,
        output=Fact(output, "--output_layer") if output else None,
    )


def manifest_facts(
    manifest: Manifest,
    format: Format,
    layer: Fact[str] | None = None,
    *,
    output: Fact[str] | None = None,
    scaling: Fact[tuple[float, float]] | None = None,
) -> GraphFacts:
    """Return the facts in a manifest, except those that the format knows better.

    Args:
        manifest: The graph's manifest.
        format: The artefact's format.
        layer: The input layer, where the format has its own name for it.
        output: The output layer, where the format has its own name for it.
        scaling: (mean, std), where the format has its own values.

    Returns:
        The facts.

    Raises:
        RetrainError: Another version wrote the recipe.
    """
    recipe = Recipe.parse(manifest.recipe)
    return GraphFacts(
        format.value,
        layer or Fact(manifest.input_node, SOURCE),
        Fact((recipe.height, recipe.width), SOURCE),
        scaling or Fact((0.0, 255.0), SOURCE),
        output or Fact(manifest.output_node, SOURCE),
        Fact(False, SOURCE),
        Fact(manifest.labels, SOURCE),
        manifest.unknown_below,
    )
