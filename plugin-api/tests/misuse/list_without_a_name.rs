use plugin_api::{FieldType, FieldValue, SettingsForm, Value};

struct Mode;

impl FieldValue for Mode {
    const FIELD_TYPE: FieldType = FieldType::List;
    const EXPECTED: &'static str = "a mode";

    fn parse(_text: &str) -> Option<Self> {
        Some(Mode)
    }

    fn to_value(&self) -> Value<'_> {
        Value::Null
    }
}

#[derive(SettingsForm)]
struct Setup {
    mode: Mode,
}

fn main() {}
