"""Settings that were chosen in the window, in the Config table."""

from pathlib import Path

import pytest

from blitz import config
from blitz.config import ClientSettings
from blitz.data.database_client import DatabaseClient
from blitz.data.kept_settings import KEYS, KeptSettings


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "client.settings"


def test_what_is_chosen_is_a_row_of_the_config_table_and_is_there_again(path: Path) -> None:
    kept = KeptSettings(path)
    kept.keep({"sync": "all", "export_dir": "/data", "overview_mb": ""})
    kept.close()
    with DatabaseClient(path=str(path)) as table:
        row = table.get_config("sync")
        assert row is not None
        assert row.value == "all"
        table.set_config("console_messages", 2000)
    settings = KeptSettings(path).applied_to(ClientSettings.model_validate({}))
    assert (settings.sync, settings.export_dir, settings.console_messages) == ("all", Path("/data"), 2000)
    assert settings.overview_mb == ClientSettings.model_validate({}).overview_mb


def test_what_a_file_a_variable_or_an_argument_says_counts_before_it(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "blitz.toml"
    file.write_text("[client]\noverview_mb = 7\n")
    monkeypatch.setenv("BLITZ_SYNC", "off")
    told = config.load(ClientSettings, {"server": "http://lab-pi:8999"}, file)
    kept = KeptSettings(path)
    kept.keep({"overview_mb": "9", "sync": "all", "server": "http://other:1", "sync_period_s": "60"})
    settings = kept.applied_to(told)
    assert (settings.overview_mb, settings.sync, settings.server) == (7, "off", "http://lab-pi:8999")
    assert settings.sync_period_s == 60
    assert settings.origin("overview_mb") == f"'overview_mb' in [client] of {file}"
    assert (settings.origin("sync"), settings.origin("server")) == ("BLITZ_SYNC", "--server")
    assert settings.origin("sync_period_s") == ""


def test_an_empty_row_was_never_chosen_and_a_wrong_one_is_left_out(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = KeptSettings(path)
    kept.keep({"sync": "sometimes", "sync_period_s": "0", "export_format": "xlsx"})
    settings = kept.applied_to(ClientSettings.model_validate({}))
    assert (settings.sync, settings.sync_period_s, settings.export_format) == ("chosen", 300, "xlsx")
    assert [record.message.split(" in ")[0] for record in caplog.records] == [
        "The setting sync = 'sometimes'",
        "The setting sync_period_s = '0'",
    ]
    caplog.clear()
    kept.keep({"sync": "", "sync_period_s": ""})
    assert kept.applied_to(ClientSettings.model_validate({})).model_fields_set == {"export_format"}


def test_a_file_that_cannot_be_used_is_told_and_nothing_is_lost(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.write_text("no database " * 100)
    kept = KeptSettings(path)
    assert str(path) in kept.problem
    kept.keep({"sync": "all"})
    assert kept.applied_to(ClientSettings.model_validate({})).sync == "all"
    assert path.read_text().startswith("no database")
    caplog.clear()


def test_each_key_is_a_setting_of_the_client() -> None:
    assert set(KEYS) <= set(ClientSettings.model_fields)


def test_the_documented_row_of_the_server_is_the_one_that_is_connected_to(path: Path) -> None:
    with DatabaseClient(path=str(path)) as table:
        table.load_fixtures()
    settings = KeptSettings(path).applied_to(ClientSettings.model_validate({}))
    assert "server" in settings.model_fields_set
