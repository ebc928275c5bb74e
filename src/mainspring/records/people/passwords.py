"""Rules of passwords, said in both languages."""

from __future__ import annotations

from typing import Final

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from mainspring.core.text import Text
from mainspring.records.faults import Invalid
from mainspring.records.people.sign_in import PASSWORD_LENGTH_MAX
from mainspring.records.people.user import User

_WORDS: Final[dict[str, Text]] = {
    "password_too_short": Text("Use at least {min_length} characters.", "至少使用 {min_length} 个字符。"),
    "password_too_common": Text(
        "This password is on every list of guesses. Choose another.", "该密码过于常见，请换一个。"
    ),
    "password_entirely_numeric": Text("Digits alone are guessed quickly. Add letters.", "不能全为数字，请加入字母。"),
    "password_too_similar": Text("Too much like the name. Choose another.", "与用户名过于相似，请换一个。"),
}
_TOO_LONG: Final = Text("At most {max} characters.", "最多 {max} 个字符。")


def check_password(password: str, user: User, field: str) -> None:
    """Raise Invalid for the field unless the password is fit for the person."""
    if len(password) > PASSWORD_LENGTH_MAX:
        raise Invalid({field: _TOO_LONG.format(max=PASSWORD_LENGTH_MAX)})
    try:
        validate_password(password, user)
    except ValidationError as error:
        first = error.error_list[0]
        text = _WORDS.get(first.code or "", Text(str(first.message), str(first.message)))
        raise Invalid({field: text.format(**(first.params or {}))}) from error
