"""Which apps there are, and how each becomes a part of Django; one that cannot start is named with its reason."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final

from django.apps import AppConfig

from mainspring.core.errors import ConfigurationError
from mainspring.core.text import Text

ENTRY_POINTS: Final = "mainspring.apps"
OWN: Final = frozenset({
    "records", "auth", "contenttypes", "sessions", "axes", "sites", "account", "accounts", "socialaccount", "mfa",
    "usersessions", "headless",
})  # fmt: skip
"""Names that tables of the platform itself begin with."""
REASON_MAX: Final = 500
BROKEN: Final = Text(
    "The app {app} cannot start: {reason}. Mend it, or take it out of [apps] modules or uninstall its package.",
    "应用 {app} 无法启动：{reason}。请修复，或从 [apps] modules 中移除或卸载其软件包。",
)
_NO_MODELS: Final = Text("it has no models.py in which kinds of records are declared", "缺少声明记录类型的 models.py")
_NO_KIND: Final = Text(
    "{name} is a table but no kind of record; make it a subclass of Defined",
    "{name} 是数据表但不是记录类型，应为 Defined 的子类",
)
_JOINED: Final = Text(
    "{name}.{field} makes a table of its own; link records by a kind of their own instead",
    "{name}.{field} 会另建数据表，请改用单独的记录类型建立关联",
)
_LABEL: Final = Text("its last name, {label}, is taken by {other}", "其末级名称 {label} 已被 {other} 占用")


class App(AppConfig):
    """An app among Django's: its errors are told in one sentence, and its tables are kinds of records alone."""

    def import_models(self) -> None:
        """Import the definitions of the app; raises ConfigurationError, which names app and reason."""
        try:
            super().import_models()
        except Exception as error:
            # Whatever someone else's code raises must be told as theirs.
            raise broken(self.name, _told(error, Path(self.path))) from error
        self._refuse_foreign_tables()

    def _refuse_foreign_tables(self) -> None:
        from mainspring.records.defined.kinds import Defined

        if self.models_module is None:
            raise broken(self.name, _NO_MODELS)
        for kind in self.models.values():
            for field in kind._meta.local_many_to_many:
                raise broken(self.name, _JOINED.format(name=kind.__name__, field=field.name))
            if not issubclass(kind, Defined):
                raise broken(self.name, _NO_KIND.format(name=kind.__name__))


def modules_of(named: Sequence[str]) -> tuple[str, ...]:
    """Return the modules of all apps: those that settings name, then those of installed packages, each once."""
    installed = sorted(entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name)
    return tuple(dict.fromkeys((*named, *(entry.value for entry in installed))))


def configs(modules: Sequence[str], folder: Path | None) -> list[AppConfig]:
    """Return the apps as Django takes them in; raises ConfigurationError for one whose package cannot be imported."""
    if folder is not None and str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    taken = dict.fromkeys(OWN, "Mainspring itself")
    made: list[AppConfig] = []
    for name in modules:
        label = name.rpartition(".")[2]
        if label in taken:
            raise broken(name, _LABEL.format(label=label, other=taken[label]))
        taken[label] = name
        try:
            made.append(App(name, import_module(name)))
        except Exception as error:
            # As above.
            raise broken(name, _told(error)) from error
    return made


def broken(app: str, reason: Text) -> ConfigurationError:
    """Make the error for an app that cannot start."""
    return ConfigurationError(BROKEN, app=app, reason=reason)


def _told(error: Exception, folder: Path | None = None) -> Text:
    """Return an error in one line, with the line of the app that is to blame; Python says it in English alone."""
    text = " ".join(str(error).split())[:REASON_MAX]
    place = ""
    if isinstance(error, SyntaxError) and error.filename:
        place, text = f" ({Path(error.filename).name}, line {error.lineno})", error.msg
    elif folder is not None:
        frames = [
            frame for frame in traceback.extract_tb(error.__traceback__) if folder in Path(frame.filename).parents
        ]
        place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    told = f"{type(error).__name__}: {text}{place}" if text else f"{type(error).__name__}{place}"
    return Text(told.rstrip("."), told.rstrip("."))
