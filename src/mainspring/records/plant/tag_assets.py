"""Assets that an import makes on the way: a path whose end is missing is built from what is there."""

from __future__ import annotations

from typing import Final

from mainspring.records.plant.asset import Asset, AssetKind, slug_of
from mainspring.records.tenant import Tenant

DEPTH_MAX: Final = 12
_BELOW: Final = {
    AssetKind.ENTERPRISE: AssetKind.SITE,
    AssetKind.SITE: AssetKind.AREA,
    AssetKind.AREA: AssetKind.LINE,
}
"""What lies below which kind where nobody says; below a line all are units, and so is what tags hang on in an area."""


def _kind(parent: Asset | None, *, last: bool) -> AssetKind:
    if parent is None:
        return AssetKind.SITE
    above = AssetKind(parent.asset_kind)
    return AssetKind.UNIT if last and above is AssetKind.AREA else _BELOW.get(above, AssetKind.UNIT)


def asset_at(tenant: Tenant, path: str, known: dict[str, Asset], planned: list[Asset]) -> Asset | None:
    """Return the asset at a path written with short or full names; those that are missing are planned, not stored.

    `known` holds assets by path and id, and gets those found and planned; None if the path is none.
    """
    parts = [part.strip() for part in path.split("/")]
    if not all(parts) or len(parts) > DEPTH_MAX:
        return None
    names = [(part, slug_of({"en": part, "zh": part})) for part in parts]
    paths = ["/".join(slug for _, slug in names[: end + 1]) for end in range(len(names))]
    unknown = [each for each in paths if each not in known]
    for found in Asset.objects.of(tenant).filter(path__in=unknown).select_related("parent"):
        known[found.path] = known[str(found.id)] = found
    parent: Asset | None = None
    for (name, slug), place in zip(names, paths, strict=True):
        asset = known.get(place)
        if asset is None:
            asset = Asset(tenant=tenant, owner=tenant, operator=tenant, parent=parent, slug=slug)
            asset.asset_kind = str(_kind(parent, last=place == paths[-1]))
            asset.name = {"en": name, "zh": name if not name.isascii() else ""}
            asset.place()
            known[place] = known[str(asset.id)] = asset
            planned.append(asset)
        parent = asset
    if parent is not None:
        known[path] = parent
    return parent
