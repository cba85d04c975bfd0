"""What `SPACE/alarms.toml` says, and what it says of what is wrong in it."""

import asyncio
from pathlib import Path

import pytest

from ectype.alarms.settings import AlarmSettings, Sensitivity, read_alarms, topic_of
from ectype.errors import Misconfigured
from ectype.node.node import Node, Settings

DAY_S = 86400.0
GOOD = """
false_every = "60d"
off = ["nis"]
topic = "plant/alarms/{name}/{twin}"

[[rule]]
twin = "pump-*"
false_every = "1d"

[[rule]]
type = "dtmi:demo:Tank;1"
off = []
"""


def test_without_a_file_a_twin_raises_a_false_alarm_a_month(tmp_path: Path) -> None:
    assert read_alarms(tmp_path) == AlarmSettings()
    assert read_alarms(tmp_path).of("any", ["dtmi:any;1"]) == Sensitivity(30 * DAY_S, ())


def test_the_first_rule_that_fits_counts_and_what_it_lacks_is_as_for_all(tmp_path: Path) -> None:
    (tmp_path / "alarms.toml").write_text(GOOD)
    found = read_alarms(tmp_path)
    assert found.topic == "plant/alarms/{name}/{twin}"
    assert found.of("fan", ["dtmi:demo:Fan;1"]) == Sensitivity(60 * DAY_S, ("nis",))
    assert found.of("pump-1", ["dtmi:demo:Tank;1"]) == Sensitivity(DAY_S, ("nis",))
    assert found.of("tank", ["dtmi:demo:TallTank;1", "dtmi:demo:Tank;1"]) == Sensitivity(60 * DAY_S, ())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("false_every = \n", "line 1"),
        ("falsely = 3", "unknown field `falsely`; it may hold false_every, off"),
        ("false_every = 3", "Expected `str | null`, got `int` - at `$.false_every`"),
        ('false_every = "often"', "false_every: 'often' is no length of time; write one like"),
        ('false_every = "forever"', "to have no alarms, off ="),
        ('off = ["cumsum"]', "off: there is no detector 'cumsum'; there are cusum, nis, drift, fidelity"),
        ('[[rule]]\n[[rule]]\noff = ["x"]', "alarms.toml, rule 2: off: there is no detector 'x'"),
        ("[[rule]]\nevery = 3", "unknown field `every` - at `$.rule[0]`"),
        ('topic = "plant/{twin}"', "names {twin} and {name} once each; write one like 'ectype/{twin}/alarms/{name}'"),
        ('topic = "plant/+/{twin}/{name}"', "has no +"),
        ('topic = "plant/{line}/{twin}/{name}"', "has no +"),
        ('topic = "{twin}/{name}"', "begins with a plain level"),
        ('topic = "$SYS/{twin}/{name}"', "begins with a plain level"),
        ('topic = "ectype/{twin}/{name}"', "is where properties are told"),
    ],
)
def test_what_is_wrong_is_named_with_its_place_and_what_to_write(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "alarms.toml").write_text(text)
    with pytest.raises(Misconfigured) as caught:
        read_alarms(tmp_path)
    assert says in str(caught.value)
    assert str(tmp_path / "alarms.toml") in str(caught.value)


def test_a_node_does_not_start_with_a_wrong_file(tmp_path: Path) -> None:
    path = tmp_path / "t.space"
    path.mkdir()
    (path / "alarms.toml").write_text("off = 1")
    with pytest.raises(Misconfigured, match=r"alarms\.toml"):
        asyncio.run(Node.start(path, Settings(estimate=False)))
    (path / "alarms.toml").unlink()

    async def starts() -> None:
        await (await Node.start(path, Settings(estimate=False))).close()

    asyncio.run(starts())


def test_a_topic_has_one_level_for_each_name() -> None:
    assert topic_of("ectype/{twin}/alarms/{name}", "a", "deviation") == "ectype/a/alarms/deviation"
    assert topic_of("ectype/{twin}/alarms/{name}", "a", "x/y+#") == "ectype/a/alarms/x_y__"
