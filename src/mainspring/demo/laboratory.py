"""What people enter by hand in the demo plant: the laboratory's analyses of the product, once a shift."""

from __future__ import annotations

from typing import Final

from mainspring.core.text import Text
from mainspring.demo.plant import TEP, PlantTag

TAGS: Final = (
    PlantTag("LAB_G", f"{TEP}/stripper", "", Text("Product G, laboratory", "产品 G 含量，化验"), "mol%", 2, 0, 100, {}),
)
