"""The inventory: which modules there are, which are on this machine, and whether they are sound."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from retrain.backbones.backbone import Backbone, digest_of_graph
from retrain.backbones.bundled import BUNDLED, bundled_backbone
from retrain.backbones.engines.engine import choose_engine
from retrain.backbones.sources.cache import FrozenStore
from retrain.backbones.sources.catalogue import Entry, entries, find, nearest
from retrain.backbones.sources.resolve import check_handles
from retrain.backbones.sources.source import BUNDLED_STATE
from retrain.errors import RetrainError, UsageFault
from retrain.utils.kept import damage_in, is_sealed


@dataclass(frozen=True)
class Item:
    """A line of the list, as texts. `here`: how the module can be had."""

    name: str
    here: str
    size: str
    features: str
    parameters: str
    top1: str
    licence: str


def inventory(model_dir: Path) -> Iterator[Item]:
    """Yield every named module, then those that are on this machine under other names."""
    frozen = {backbone.info.name: backbone for backbone in FrozenStore(model_dir).all()}
    for entry in entries():
        yield Item(
            entry.name,
            _here(entry, frozen),
            str(entry.size),
            str(entry.feature_width),
            f"{entry.parameters:.1f}",
            f"{entry.top1:.1f}" if entry.top1 is not None else "",
            entry.licence,
        )
        frozen.pop(entry.name, None)
    for name, backbone in frozen.items():
        info = backbone.info
        size = str(info.height) if info.height == info.width else f"{info.height}x{info.width}"
        yield Item(name, "fetched", size, str(info.feature_width), "", "", "")


def facts_of(name: str, model_dir: Path) -> list[tuple[str, str]]:
    """Return all that is known of a module, as pairs of a word and a text; raise UsageFault."""
    entry = find(name)
    frozen = {backbone.info.name: backbone for backbone in FrozenStore(model_dir).all()}
    known = entry.name if entry else name
    backbone = bundled_backbone(known) if known in BUNDLED else frozen.get(known)
    if entry is None and backbone is None:
        near = nearest(name)
        raise UsageFault(
            f"no module is called {name!r}"
            + (f": did you mean {near}?" if near else "; `retrain modules list` shows them all")
        )
    rows = [("name", known)]
    if entry is not None:
        low, high = entry.input_range
        rows += [
            ("input", f"{entry.size}x{entry.size}, the network's own values {low:g} to {high:g}"),
            ("features", str(entry.feature_width)),
            ("parameters", f"{entry.parameters:g} million"),
            ("ImageNet top-1", f"{entry.top1:g} %" if entry.top1 is not None else "not published"),
            ("licence", entry.licence),
            *(("source", source.describe()) for source in entry.sources),
            ("here", _here(entry, frozen)),
        ]
    if backbone is not None:
        info = backbone.info
        rows += [
            ("format", info.kind),
            ("pictures", f"{info.height}x{info.width}, {info.channels} channels"),
            ("values", f"{info.input_range[0]:g} to {info.input_range[1]:g}"),
            ("feature width", str(info.feature_width)),
            ("fingerprint", info.fingerprint),
            ("graph", f"{backbone.graph_path.absolute()} ({_megabytes(backbone)})"),
        ]
    return rows


def verify(names: Sequence[str], model_dir: Path) -> Iterator[tuple[str, str | None]]:
    """Yield each module on this machine (or of `names`) and what is wrong with it, or None.

    Sound: the graph is, byte for byte, what was frozen, and the engine gives the answers that the
    module itself gave then. Raises UsageFault for a name that no module has.
    """
    store = FrozenStore(model_dir)
    here = [bundled_backbone(name) for name in BUNDLED] + list(store.all())
    wanted = [entry.name if (entry := find(name)) else name for name in names]
    known = {backbone.info.name for backbone in here}
    check_handles(name for name in wanted if name not in known)
    for name in wanted:
        if name not in known:
            yield name, f"not on this machine; `retrain modules fetch {name}` gets it"
    if not names:
        for folder in store.unreadable():
            yield folder.name, f"its facts cannot be read; remove the folder {folder.absolute()}"
    for backbone in here:
        if not names or backbone.info.name in wanted:
            yield backbone.info.name, _fault(backbone)


def _fault(backbone: Backbone) -> str | None:
    again = f"remove the folder {backbone.folder.absolute()} and fetch it again"
    try:
        if digest_of_graph(backbone.folder) != backbone.info.graph_digest:
            return f"its graph is not the one that was frozen; {again}"
        why = damage_in(backbone.folder) if is_sealed(backbone.folder) else None
        if why is not None:
            return f"{why}; {again}"
        choose_engine("openvino", backbone, "f32")
    except (OSError, ValueError, KeyError, RetrainError) as error:
        return f"{error}; {again}"
    return None


def _here(entry: Entry, frozen: dict[str, Backbone]) -> str:
    """Say in one or two words how the module can be had."""
    state = entry.sources[0].state()
    return "fetched" if entry.name in frozen and state != BUNDLED_STATE else state


def _megabytes(backbone: Backbone) -> str:
    return f"{backbone.graph_path.stat().st_size / 1e6:.1f} MB"
