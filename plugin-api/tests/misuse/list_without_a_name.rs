use plugin_api::{FieldType, SettingValue, SettingsForm};

struct Mode;

impl SettingValue for Mode {
    const FIELD_TYPE: FieldType = FieldType::List;
    const EXPECTED: &'static str = "a mode";

    fn parse(_text: &str) -> Option<Self> {
        Some(Mode)
    }
}

#[derive(SettingsForm)]
struct Setup {
    mode: Mode,
}

fn main() {}
