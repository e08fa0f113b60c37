"""What goes round in circles is found in any script; what comes again for a reason is not."""

import pytest

from services.content.loops import repeated_share
from services.content.script_rules import LOOPED_SHARE
from tests.emulators.vertex_script import write_script


def times(number: int, sentence: str) -> str:
    return " ".join([sentence] * number)


def script(words: int = 450) -> str:
    draft = write_script(topic="tides", interest="chess", words=words)
    return " ".join([draft["hook"], *(section["content"] for section in draft["sections"])])


@pytest.mark.parametrize(
    "text",
    [
        times(20, "Plants make food from light."),
        times(20, "Plants make food from light!"),
        times(9, "Plants make food.") + " " + times(20, "Water comes from the soil."),
        times(30, "plants make food from light"),
        times(40, "plants make food from light,"),
        times(20, "plants make food from light and water and air all day"),
        times(
            12,
            "Plants take up water from the soil and carbon dioxide from the air to make sugar with light.",
        ),
        times(20, "Plants make food. Light gives energy."),
        "\n".join(["Plants make food from light and water every single day of the year again"] * 12),
        times(60, "light"),
        "植物用光制造食物。" * 30,
        "植物用光制造食物" * 30,
        "植物は光から食べ物を作ります。" * 20,
        times(20, "식물은 빛으로 음식을 만듭니다."),
        "พืชสร้างอาหารจากแสง" * 30,
        times(30, "พืชสร้างอาหารจากแสง"),
        times(20, "पौधे प्रकाश से भोजन बनाते हैं।"),
        times(20, "تصنع النباتات الغذاء من الضوء."),
        script() + " " + times(12, "And the plant grows and grows."),
        script() + " " + times(12, "and the plant grows and grows"),
    ],
)
def test_a_loop_is_found(text: str) -> None:
    # Given / When / Then
    assert repeated_share(text) >= LOOPED_SHARE


@pytest.mark.parametrize(
    "text",
    [
        script(),
        script(1500),
        " ".join(f"Sentence {number} is another one. And the moon pulls on." for number in range(12)),
        times(
            2,
            "Row, row, row your boat gently down the stream. Merrily, merrily, merrily, life is but a dream.",
        ),
        " ".join(f"{a} times {b} is {a * b}." for a in range(2, 6) for b in range(1, 11)),
        " ".join(f"Step {number}." for number in range(30)),
        times(3, "We will do it.") + " " + script(),
        "0 1 0 1 0 1 0 1 is a pattern, and so is red blue red blue red blue. " + script(),
        times(8, "Tick. Tock.") + " " + script(),
        "植物用光制造食物。光来自太阳。水来自土壤。空气里有二氧化碳。叶子是绿色的。根在地下。花很漂亮。",
        "",
        "...",
    ],
)
def test_what_comes_again_for_a_reason_is_no_loop(text: str) -> None:
    # Given / When / Then
    assert repeated_share(text) == 0.0
