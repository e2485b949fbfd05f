from onedoor.contracts.registry import TOPICS
from onedoor.dev.topics import declared


def test_every_topic_of_an_event_is_declared() -> None:
    assert set(TOPICS) <= set(declared().topics)


def test_people_alone_are_compacted_and_partitions_are_fixed() -> None:
    assert declared().partitions == 6
    assert [name for name, topic in declared().topics.items() if topic.compacted] == ["intake.person"]
