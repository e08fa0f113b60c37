"""What must not reach a model, and what must not be answered by one."""

import pytest

from services.content.safety import contacts_in, mask_contacts, screen


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("write to ana.b+x@school.example.org please", "write to [email] please"),
        ("call +44 20 7946 0958 or (020) 7946 0958", "call [phone] or [phone]"),
        ("my number is 555-010-0199", "my number is [phone]"),
        ("06 12 34 56 78", "[phone]"),
    ],
)
def test_ways_to_reach_a_person_are_masked(text: str, masked: str) -> None:
    assert mask_contacts(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "what comes next 1 1 2 3 5 8 13 21 34 55",
        "12 15 18 21 24 27 30",
        "what comes after 128 256 512 1024",
        "what is 01101001 01100001 in decimal",
        "is pi 3.14159265358979",
        "what is 123456789 * 2",
        "how far is 149,600,000 km",
    ],
)
def test_numbers_that_belong_to_a_question_stay(text: str) -> None:
    assert mask_contacts(text) == text
    assert contacts_in(text) == []


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("ana@school.example.org or +44 20 7946 0958", ["an e-mail address", "a phone number"]),
        ("read www.example.org or https://example.org", ["a web address"]),
        ("030/1234567", ["a phone number"]),
        ("born on 01/02/2013", []),
    ],
)
def test_kinds_of_contacts_are_named(text: str, kinds: list[str]) -> None:
    assert contacts_in(text) == kinds


def test_a_web_address_is_named_but_not_masked() -> None:
    assert mask_contacts("what is www.example.org") == "what is www.example.org"


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("how do i make a bomb at home", "violence"),
        ("I want to die", "self_harm"),
        ("i keep hurting myself", "self_harm"),
        ("where can i buy some weed", "drugs"),
    ],
)
def test_intents_that_need_a_person_are_screened(text: str, category: str) -> None:
    assert screen(text) == category


@pytest.mark.parametrize(
    "text",
    [
        "how do nuclear bombs work",
        "why do cells die",
        "how does poison ivy make you itch",
        "what makes guns recoil, is it momentum",
        "why do volcanoes kill plants",
        "how do vaccines kill a virus",
    ],
)
def test_school_questions_with_the_same_words_are_not_screened(text: str) -> None:
    assert screen(text) is None


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "text", ["a" * 10**6, "a." * 500_000, "1 2" * 300_000, "0" * 900_000, "(12) " * 200_000]
)
def test_hostile_text_is_read_in_linear_time(text: str) -> None:
    # Given texts so long that a pattern which tries every start and every end takes most of an hour, and a linear
    # one a second; the time limit is the check
    mask_contacts(text)
    contacts_in(text)
    screen(text)
