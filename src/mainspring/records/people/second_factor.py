"""Second factors of people: who has one, who needs one, and taking it away from someone who lost it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef

from mainspring.core.errors import Conflict
from mainspring.core.text import Text

if TYPE_CHECKING:
    from mainspring.records.audit import Author
    from mainspring.records.people.user import User

KIND: Final = "second-factor"
"""How the audit names it; the object is the person."""
_NONE: Final = Text("This person has no second factor.", "此人未设置第二因素。")


def exists() -> Exists:
    """Return the condition, in a query of people, that they have one; recovery codes alone are none."""
    from allauth.mfa.models import Authenticator

    main = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
    return Exists(Authenticator.objects.filter(user=OuterRef("pk"), type__in=main))


def kinds_of(user: User) -> list[str]:
    """Return what a person can take the second step with: `totp`, `webauthn`, `recovery_codes`."""
    from allauth.mfa.models import Authenticator

    kinds = set(Authenticator.objects.filter(user=user).values_list("type", flat=True))
    return sorted(kinds) if kinds - {Authenticator.Type.RECOVERY_CODES} else []


def reset(author: Author, id: UUID) -> None:
    """Take all second factors from a person, whose sessions end; raises NotFound, or Conflict if there is none."""
    from allauth.mfa.models import Authenticator

    from mainspring.records.audit import Action, Deed, append
    from mainspring.records.people import administration as people

    with transaction.atomic():
        user = people.find(author.tenant, id)
        found = Authenticator.objects.filter(user=user)
        kinds = sorted(each.type for each in found)
        if not kinds:
            raise Conflict(_NONE)
        found.delete()
        user.sign_outs += 1
        user.save(update_fields=["sign_outs"])
        append(author, [Deed(Action.DELETE, KIND, str(user.id), changes={"kinds": [kinds, None]})])
