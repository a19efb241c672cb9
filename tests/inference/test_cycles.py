"""A graph that bites its own tail is refused before OpenVINO reads it, which would not end."""

from pathlib import Path

import pytest
from tensorboard.compat.proto.graph_pb2 import GraphDef

from retrain.artifacts.graphdef import check_references
from retrain.errors import RetrainError

GRAPH = Path("graph.pb")


def graph_of(**nodes: str) -> GraphDef:
    graph = GraphDef()
    for name, inputs in nodes.items():
        graph.node.add(name=name, op="Identity", input=inputs.split())
    return graph


@pytest.mark.parametrize(
    "nodes", [{"a": "a"}, {"a": "b:1", "b": "c", "c": "a"}, {"a": "", "b": "a ^c", "c": "b"}]
)
def test_a_node_that_takes_what_is_made_of_it_is_refused(nodes: dict[str, str]) -> None:
    with pytest.raises(RetrainError, match="takes what is made of it; export it anew$"):
        check_references(graph_of(**nodes), GRAPH)


def test_so_is_one_in_a_function() -> None:
    graph = graph_of(a="")
    function = graph.library.function.add()
    function.node_def.extend(graph_of(x="argument y:out:0", y="x:out:0").node)
    with pytest.raises(RetrainError, match="the node '[xy]' takes what is made of it"):
        check_references(graph, GRAPH)


def test_a_loop_of_tensorflow_1_is_none() -> None:
    graph = graph_of(start="", merge="start next", body="merge", next="body")
    graph.node[3].op = "NextIteration"
    check_references(graph, GRAPH)
    check_references(graph_of(a="", b="a a", c="b ^a"), GRAPH)
