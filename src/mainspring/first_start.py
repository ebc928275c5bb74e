"""What the supervisor does to the records before the roles start, in a process of its own."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr

from mainspring import __version__
from mainspring.apps.loading import modules_of
from mainspring.bus.connect import Bus
from mainspring.bus.credentials import seed_file, user_name
from mainspring.configuration import Configuration, bus_users
from mainspring.core.errors import ConfigurationError, NotConnected, NotFound
from mainspring.core.text import Text
from mainspring.records.people.provider import secret_variable
from mainspring.records.rights import Requirement
from mainspring.web.configure import Mail, WebSettings, configure

_NOBODY: Final = Text("There is no user {username} in {tenant}.", "{tenant} 中没有用户 {username}。")
_SIGN_IN: Final = Text(
    "Sign in as {name} with the password {password}  (shown this once)",
    "用户名 {name}，密码 {password}（仅显示这一次）",
)
_WAITS: Final = Text(
    "The platform does not run; its roles learn of {key} when it starts.", "平台未运行，启动后各角色即知晓 {key}。"
)
_ONE_TIME: Final = Text(
    "{username} signs in with {password} once and then chooses another.",
    "{username} 用 {password} 登录一次，随后自行设置新密码。",
)


def web_settings(configuration: Configuration) -> WebSettings:
    """Make the settings of the web role from the settings file and the environment."""
    folder = configuration.data_folder.resolve()
    section = configuration.web
    return WebSettings(
        database_url=os.environ.get("MAINSPRING_DATABASE_URL")
        or section.database_url
        or f"sqlite:///{folder / 'records.sqlite3'}",
        secret_key=SecretStr(os.environ.get("MAINSPRING_SECRET_KEY") or _secret_key(configuration)),
        data_folder=folder,
        allowed_hosts=section.allowed_hosts,
        https=section.https or section.tls_certificate is not None,
        demo=configuration.demo.enabled,
        tenant=configuration.plant.tenant,
        zone=configuration.plant.zone,
        product_version=__version__,
        apps=modules_of(configuration.apps.modules),
        apps_folder=_apps_folder(configuration),
        session_hours=section.session_hours,
        token_days_max=section.token_days_max,
        registration=section.registration,
        shelf_hours_max=section.shelf_hours_max,
        software_versions_max=section.software_versions_max,
        software_bytes_max=section.software_bytes_max,
        bus_url=configuration.bus.public_url or configuration.bus_url,
        bus_ca=configuration.bus.tls_ca,
        mail=_mail(configuration),
        webhook_hosts=configuration.notifications.webhook_hosts,
        page_url=configuration.notifications.page_url,
        second_factor=Requirement(configuration.sign_in.second_factor),
        providers=configuration.sign_in.providers,
        saml=configuration.sign_in.saml,
        provider_secrets={
            name: SecretStr(os.environ.get(secret_variable(name), "")) for name in configuration.sign_in.providers
        },
    )


def _apps_folder(configuration: Configuration) -> Path | None:
    folder = configuration.apps.folder
    return folder.resolve() if folder is not None else None


def _mail(configuration: Configuration) -> Mail | None:
    section = configuration.mail
    if not section.host:
        return None
    password = SecretStr(os.environ.get("MAINSPRING_MAIL_PASSWORD", ""))
    return Mail(**section.model_dump(), password=password)


def open_records(configuration: Configuration) -> None:
    """Start Django in a process that works for the platform: whoever may start it may do so for every company."""
    configure(web_settings(configuration))
    from mainspring.records.in_force import enter_platform

    enter_platform()


def prepare(configuration: Configuration, say: Callable[[Text], None]) -> dict[str, Any]:
    """Create or migrate the records; returns `username` and `password` when an administrator was made."""
    open_records(configuration)
    demo = configuration.demo.enabled
    from mainspring.apps import tables
    from mainspring.records.first_start import ADMINISTRATOR, ensure_first_start

    plant = configuration.plant
    words = {"en": plant.name, "zh": plant.name_zh}
    tables.refuse_pending()
    with tables.blamed():
        password = ensure_first_start(plant.tenant, words, plant.zone, must_change_password=not demo)
    for text in tables.left_behind():
        say(text)
    _register_bus_users(configuration)
    if demo:
        from mainspring.demo.seed import seed

        seed(plant.tenant, configuration.demo, configuration.secrets_folder, configuration.data_folder.resolve())
    return {"username": ADMINISTRATOR, "password": password} if password else {}


def _register_bus_users(configuration: Configuration) -> None:
    """Enter the key pairs of this machine's roles into the one registry of credentials."""
    from mainspring.records.audit import Author
    from mainspring.records.people.credential import CredentialKind, register_key
    from mainspring.records.plant import gateway
    from mainspring.records.tenant import Tenant

    author = Author(Tenant.objects.get(key=configuration.plant.tenant))
    names = {user_name("gateway", name, configuration.plant.tenant): name for name in configuration.gateways}
    for user in bus_users(configuration):
        if user.name in names:
            gateway.ensure_local(author, names[user.name], user.name, user.public_key)
        else:
            register_key(author, CredentialKind.SERVICE, user.name, user.public_key)


def _secret_key(configuration: Configuration) -> str:
    """Return the key that signs sessions and seals connection secrets, made on the first start."""
    file = configuration.secrets_folder / "web.key"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(secrets.token_urlsafe(48))
    return file.read_text(encoding="utf-8").strip()


def reset_password(configuration: Configuration, username: str) -> str:
    """Give a person a new one-time password, for those who can use this machine; returns the sentence to show."""
    open_records(configuration)
    from mainspring.records.audit import Author
    from mainspring.records.people import administration as people
    from mainspring.records.people.user import User

    person = User.objects.named(configuration.plant.tenant, username)
    if person is None:
        raise NotFound(_NOBODY, username=username, tenant=configuration.plant.tenant)
    password = people.reset_password(Author(person.tenant), person.id)
    told = _ONE_TIME.format(username=username, password=password)
    return f"{told.en}\n{told.zh}"


def add_tenant(configuration: Configuration, key: str, words: dict[str, str], zone: str) -> str:
    """Make a company on this platform, running or not; returns the sentences to show."""
    open_records(configuration)
    from mainspring.records import first_start
    from mainspring.records.faults import Invalid

    try:
        _tenant, password = first_start.add_tenant(key, words, zone, configuration.secrets_folder)
    except Invalid as error:
        raise ConfigurationError(next(iter(error.fields.values()))) from error
    said = _SIGN_IN.format(name=f"{key}/{first_start.ADMINISTRATOR}", password=password)
    try:
        asyncio.run(publish(configuration))
    except NotConnected:
        waits = _WAITS.format(key=key)
        return "\n".join((said.en, waits.en, said.zh, waits.zh))
    return f"{said.en}\n{said.zh}"


async def publish(configuration: Configuration) -> None:
    """Tell the running roles what this process changed in the records."""
    from mainspring.records.publication import Publication

    seed = seed_file(configuration.secrets_folder, "web")
    bus = await Bus.connect(configuration.bus_url, seed, "web", tls_ca=configuration.bus.tls_ca, wait_s=1)
    try:
        await Publication(bus).publish_waiting()
    finally:
        await bus.close()


def list_tenants(configuration: Configuration) -> str:
    """Return a line for each company on this platform."""
    open_records(configuration)
    from mainspring.records.tenant import Tenant

    rows = Tenant.objects.order_by("key")
    return "\n".join(
        f"{row.key:<32} {row.zone:<24} {row.name['en']}  {row.name.get('zh', '')}".rstrip() for row in rows
    )
