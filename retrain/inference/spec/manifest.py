"""Graphs that retrain wrote: their manifest says it all."""

from retrain.artifacts.detect import Format
from retrain.artifacts.manifest import Manifest
from retrain.data.decoding.decode import Recipe
from retrain.inference.spec.facts import Fact, GraphFacts
from retrain.inference.spec.spec import Overrides

SOURCE = "the manifest"


def own_graph_facts(manifest: Manifest, format: Format, said: Overrides) -> GraphFacts:
    """Of formats whose layers the manifest knows by name, with those that the user says."""
    layer, output = said.input_layer, said.output_layer
    return own_facts(
        manifest,
        format,
        Fact(layer, "--input_layer") if layer else None,
        output=Fact(output, "--output_layer") if output else None,
    )


def own_facts(
    manifest: Manifest,
    format: Format,
    layer: Fact[str] | None = None,
    *,
    output: Fact[str] | None = None,
    scaling: Fact[tuple[float, float]] | None = None,
) -> GraphFacts:
    """`layer`, `output` and `scaling`: where the format has names and values of its own.

    Raises RetrainError for a recipe that another version wrote.
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
