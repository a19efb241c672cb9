"""Source: what every place to have a module from can do."""

from abc import ABC, abstractmethod
from typing import ClassVar

from retrain.backbones.backbone import Backbone
from retrain.backbones.freeze.input_config import InputConfig
from retrain.backbones.sources.cache import FrozenStore

BUNDLED_STATE, DOWNLOAD = "bundled", "download"
INSTEAD = (
    "without network, download it elsewhere and give its folder or .tar.gz to --tfhub_module, or "
    "take a module that is here (`retrain modules list`)"
)


class Source(ABC):
    """One module in one place.

    A kind of place is a class. Where a user's handle can mean it, it is listed in
    resolve.SOURCES and has `of_handle`; where modules of the catalogue come from it, they name
    it in their entries. Nobody else asks which kind a source is.
    """

    handles: ClassVar[str] = ""  # the handles that mean it, as the help of --tfhub_module says

    @classmethod
    def of_handle(cls, handle: str) -> "Source | None":
        """Read a user's handle; return None for one that means something else.

        Raises UsageFault for a handle of this kind that cannot be right.
        """
        return None

    @abstractmethod
    def find(
        self, wanted: InputConfig, store: FrozenStore, name: str | None = None
    ) -> Backbone | None:
        """Return the backbone if it can be had without network; None: it has to be fetched.

        `name`: what to call the module when it is frozen; None: as its place calls it.
        """

    @abstractmethod
    def fetch(
        self,
        wanted: InputConfig,
        store: FrozenStore,
        name: str | None = None,
        *,
        advice: str = INSTEAD,
    ) -> Backbone:
        """Return the backbone that `find` did not, fetched and frozen once.

        Args:
            wanted: The user's settings of the module's input.
            store: Where frozen modules are kept.
            name: What to call the module when it is frozen; None: as its place calls it.
            advice: Ends the line that says why the network is at fault.

        Returns:
            The backbone.

        Raises:
            RetrainError: The module cannot be fetched or used; NoNetwork, which is one, where there
                is none.
        """

    @abstractmethod
    def describe(self) -> str:
        """Say where the module comes from, for `retrain modules show`."""

    def state(self) -> str:
        """Say, in one or two words for `retrain modules list`, how the module can be had."""
        return DOWNLOAD

    @property
    def offline(self) -> bool:
        """Whether a module that was never fetched can be had without network."""
        return False

    @property
    def address(self) -> str | None:
        """The URL that means this module, if there is one."""
        return None

    @property
    def alias(self) -> str | None:
        """What the place itself calls the module, where users know it by that name too."""
        return None
