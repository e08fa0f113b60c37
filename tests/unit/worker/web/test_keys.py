"""Keys: who is let in, and that nobody learns a secret from an error."""

import pytest

from services.errors import ConfigurationError
from worker.web.keys import parse_keys

ONE, TWO = "a-secret-of-the-app-1", "another:secret=of-two"
TEXT = f"app:{ONE}, school-2 :{TWO}".replace(" :", ":")


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (f"Bearer {ONE}", "app"),
        (f"bearer {TWO}", "school-2"),
        (f"Bearer  {ONE} ", "app"),
        (f"Basic {ONE}", None),
        (ONE, None),
        ("Bearer ", None),
        ("Bearer", None),
        ("", None),
        (None, None),
        (f"Bearer {ONE}x", None),
        (f"Bearer {ONE[:-1]}", None),
        (f"Bearer app:{ONE}", None),
        ("Bearer sécret", None),
    ],
)
def test_a_bearer_token_names_its_key(header: str | None, name: str | None) -> None:
    assert parse_keys(TEXT).name_of(header) == name


@pytest.mark.parametrize(
    "text",
    [
        "only-a-secret-without-a-name",
        "app:too-short",
        f":{ONE}",
        f"two words:{ONE}",
        f"app:{ONE},",
        f"app:{ONE}, app:{TWO}",
        f"app:{ONE}, other:{ONE}",
        "app:a secret with blanks in it",
        "app:a-sécret-beyond-ascii",
        "app:a-secret-with-\x00-in-it",
        " ",
    ],
)
def test_a_bad_setting_says_which_entry_and_never_quotes_it(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_keys(text)
    assert "WORKER_API_KEYS" in str(caught.value)
    assert "entry " in caught.value.message
    for piece in text.replace(",", ":").split(":"):
        assert len(piece.strip()) < 8 or piece.strip() not in str(caught.value)


def test_secrets_are_not_kept() -> None:
    keys = parse_keys(TEXT)
    assert ONE not in repr(vars(keys))
    assert ONE.encode() not in repr(vars(keys)).encode()
