"""Alarms and their rules in the server's tables: each crossing once, together with how far was looked."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from blitz.data import alarm_store as alarm_store_module
from blitz.data.alarm_records import AlarmCrossing, AlarmState
from blitz.data.alarm_rule import AlarmRule, Severity
from blitz.data.alarm_rule_store import AlarmRuleStore
from blitz.data.alarm_store import UNSEEN, AlarmStore
from blitz.errors import AlarmNotFound, AlarmRuleExists, AlarmRuleNotFound, ConfigError, EditConflict

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
START_NS = 1_800_000_000_000_000_000
RULE = AlarmRule.model_validate(
    {"name": "Hot", "source": "oven", "channel": "temp", "condition": {"kind": "level", "above": 90}}
)


def _crossing(seq: int, *, is_raised: bool, rule_id: str = "1") -> AlarmCrossing:
    return AlarmCrossing(rule_id, is_raised, START_NS + seq * 1_000_000_000, 7, seq, 95.0)


def test_a_crossing_that_is_written_again_is_there_once_with_the_place_behind_it(tmp_path: Path) -> None:
    path = tmp_path / "server.db"
    with AlarmStore(path) as store:
        assert store.place() is None
        told, _ = store.commit([_crossing(3, is_raised=True)], {"1": RULE}, {"cursor": 5}, lambda rule: "°C")
        assert [(occurrence.id, occurrence.unit) for _, occurrence in told] == [(1, "°C")]
    with AlarmStore(path) as store:
        assert store.place() == {"cursor": 5}
        again = [_crossing(3, is_raised=True), _crossing(9, is_raised=False)]
        told, _ = store.commit(again, {"1": RULE}, {"cursor": 10})
        assert [crossing.is_raised for crossing, _ in told] == [False]
        (latched,) = store.present()
        assert latched.state is AlarmState.LATCHED
        assert (latched.cleared_at - latched.raised_at).total_seconds() == 6  # type: ignore[operator]
        seen, is_news = store.acknowledge(1, "ada", "door open", NOW)
        assert is_news
        assert (seen.state, seen.acknowledged_by) == (AlarmState.NORMAL, "ada")
        assert store.acknowledge(1, "bob", "", NOW) == (seen, False)
        assert store.present() == []
        assert store.history() == [seen]
        with pytest.raises(AlarmNotFound):
            store.occurrence(2)
        assert store.commit([_crossing(12, is_raised=True, rule_id="2")], {"1": RULE}, None) == ([], [])
        assert store.place() == {"cursor": 10}


def test_what_is_not_latched_is_over_when_it_is_back_and_thousands_need_not_be_acknowledged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(alarm_store_module, "MOST_OPEN", 3)
    monkeypatch.setattr(alarm_store_module, "MOST_KEPT", 4)
    monkeypatch.setattr(alarm_store_module, "_CLEAN_EACH", 10)
    rules = {"1": RULE, "2": RULE.model_copy(update={"is_latched": False})}
    with AlarmStore(":memory:") as store:
        store.commit(
            [_crossing(1, is_raised=True, rule_id="2"), _crossing(2, is_raised=False, rule_id="2")], rules, None
        )
        assert store.present() == []
        for seq in range(10, 40, 2):
            store.commit([_crossing(seq, is_raised=True), _crossing(seq + 1, is_raised=False)], rules, None)
        assert len(store.present()) == 3
        assert store.history()[4].acknowledged_by == UNSEEN
        assert len(store.history()) < 15, "the oldest went"
        assert [each.id for each in store.history(before=10, count=2)] == [9, 8]
        assert len(store.acknowledge_all("ada", "", NOW)) == 3
        assert store.acknowledge_all("ada", "", NOW) == []


def test_rules_have_names_of_their_own_versions_and_a_source_has_one_that_can_be_changed_and_reset() -> None:
    with AlarmRuleStore(":memory:") as store:
        kept = store.add(RULE, "ada")
        with pytest.raises(AlarmRuleExists):
            store.add(RULE)
        other = store.add(RULE.model_copy(update={"name": "Hotter"}))
        with pytest.raises(AlarmRuleExists):
            store.change(other.id, None, lambda rule: rule.model_copy(update={"name": "Hot"}), "")
        changed = store.change(kept.id, 1, lambda rule: rule.model_copy(update={"severity": Severity.INFO}), "bob")
        assert (changed.version, changed.who, changed.rule.severity) == (2, "bob", Severity.INFO)
        assert store.change(kept.id, 2, lambda rule: rule, "eve") == changed
        with pytest.raises(EditConflict, match="bob has changed"):
            store.change(kept.id, 1, lambda rule: rule, "")
        own = store.rule("no_data:oven")
        assert (own.is_default, own.rule.name) == (True, "No data from oven")
        off = store.change(own.id, 1, lambda rule: rule.model_copy(update={"is_enabled": False}), "ada")
        assert [each.id for each in store.rules()] == ["1", "2", "no_data:oven"]
        assert off.version == 2
        with pytest.raises(ConfigError, match="make another"):
            store.change(own.id, None, lambda rule: rule.model_copy(update={"source": "stove"}), "")
        store.remove(own.id)
        assert store.rule(own.id) == own
        store.remove(kept.id)
        with pytest.raises(AlarmRuleNotFound):
            store.rule(kept.id)
        assert store.add(RULE).id == "4", "a number is never used again"
