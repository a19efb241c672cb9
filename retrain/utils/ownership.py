"""The owners of folders: graphs and modules are programs, and taken only from safe folders.

Safe folders belong to this user or to root, and not everyone may write into them. A group may
write: whoever gave a folder to a group meant it to be shared. So a cache for a team belongs to
root, and to the team's group (`chgrp -R team DIR && chmod -R g+w DIR`). Features and other numbers
are data, as photos are, and may come from anyone.
"""

import os
import stat
from pathlib import Path

from retrain.errors import RetrainError
from retrain.utils.new_folders import make_folder


def distrust(folder: Path) -> str | None:
    """Say why others may have put something into the folder; None if they cannot have.

    None also if there is no such folder, or where the system does not say.
    """
    if not hasattr(os, "geteuid"):
        return None
    try:
        facts = folder.stat()
    except OSError:
        return None
    own = {0, os.geteuid()}
    if os.geteuid() == 0 and os.environ.get("SUDO_UID", "").isdigit():
        own.add(int(os.environ["SUDO_UID"]))  # the user who became root for this
    if facts.st_uid not in own:
        return f"it belongs to {_name_of(facts.st_uid)}"
    if facts.st_mode & stat.S_IWOTH:
        return f"everyone may write into it (chmod -R o-w {folder.absolute()} ends that)"
    return None


def check_own(folder: Path, flag: str) -> None:
    """Raise RetrainError for a folder that may hold other people's programs."""
    why = distrust(folder)
    if why is not None:
        raise RetrainError(
            f"{flag} {folder.absolute()} is not used, because {why}: modules are programs; "
            f"give a folder of your own to {flag}"
        )


def make_own(folder: Path) -> None:
    """Make the folder so that not everyone may write into it, whatever the umask; raise OSError.

    A folder that is there stays as it is.
    """
    if not folder.is_dir():
        make_folder(folder)
        mode = stat.S_IMODE(folder.stat().st_mode)
        if mode & stat.S_IWOTH:
            folder.chmod(mode & ~stat.S_IWOTH)


def _name_of(user: int) -> str:
    try:
        import pwd

        return pwd.getpwuid(user).pw_name
    except (ImportError, KeyError):
        return f"user {user}"
