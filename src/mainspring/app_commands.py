"""What `mainspring app` does for people who write apps: begin a package, make its migrations."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from mainspring.core.errors import ConfigurationError
from mainspring.core.text import Text
from mainspring.web.configure import WebSettings, configure

_NAME: Final = Text(
    "{name} is no name for an app. Take small letters, digits and underscores, such as tool_crib.",
    "{name} 不能作为应用名，请使用小写字母、数字和下划线，如 tool_crib。",
)
_THERE: Final = Text("{path} is there already. Take another name or folder.", "{path} 已存在，请更换名称或目录。")
_BEGUN: Final = Text(
    "Begun in {path}. Next: `mainspring app migrations {name} --folder {folder}`; then in mainspring.toml below [apps] "
    'modules = ["{name}"] and folder = "{folder}"; then `mainspring up`.',
    "已在 {path} 创建。接下来运行 `mainspring app migrations {name} --folder {folder}`，"
    '在 mainspring.toml 的 [apps] 中设置 modules = ["{name}"] 与 folder = "{folder}"，再运行 `mainspring up`。',
)
_DEFINITIONS: Final = '''"""{title}: say here in one sentence what it is for."""

from mainspring.apps.kit import Defined, Group, Move, Shape, States, Text, fields
from mainspring.apps.nouns import Asset


class {kind}(Defined):
    """One of what this app keeps."""

    number = fields.code(Text("Number", "编号"), series="{series}")
    name = fields.words(Text("Name", "名称"))
    asset = fields.link(Asset, Text("Asset", "资产"))

    kind = "{name}"
    shape = Shape(
        one=Text("{title}", "{title}"),
        many=Text("{title}", "{title}"),
        group=Group.PRODUCTION,
        key=("number",),
        title="number",
        columns=("number", "name", "asset"),
        found_by=("number", "name"),
        place="asset",
        states=States(
            words={{"open": Text("Open", "未完成"), "done": Text("Done", "已完成")}},
            moves=(Move("finish", ("open",), "done", Text("Finish", "完成")),),
            fixed=frozenset({{"done"}}),
        ),
    )
'''


def new(name: str, folder: Path, say: Callable[[Text], None]) -> None:
    """Write the package of an app; raises ConfigurationError for a name that cannot be one, or is taken."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{1,30}", name):
        raise ConfigurationError(_NAME, name=name)
    path = folder / name
    if path.exists():
        raise ConfigurationError(_THERE, path=path)
    title = name.replace("_", " ").capitalize()
    definitions = _DEFINITIONS.format(
        title=title, kind=name.title().replace("_", ""), name=name.replace("_", "-"), series=name[:2].upper()
    )
    for file, text in {
        "__init__.py": f'"""{title}, an app of Mainspring."""\n',
        "models.py": definitions,
        "migrations/__init__.py": "",
        "README.md": f"# {title}\n",
    }.items():
        (path / file).parent.mkdir(parents=True, exist_ok=True)
        (path / file).write_text(text, encoding="utf-8")
    say(_BEGUN.format(path=path, name=name, folder=folder))


def migrations(name: str, folder: Path) -> None:
    """Write the migrations that an app's definitions need; raises ConfigurationError for one that cannot start."""
    # Definitions alone are compared: no database is opened but an empty one in memory.
    configure(WebSettings(apps=(name,), apps_folder=folder.resolve()))
    from mainspring.apps.tables import make_migrations

    make_migrations(name.rpartition(".")[2])
