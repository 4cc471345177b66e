#[derive(plugin_api::SettingsForm)]
struct Setup {
    server: String,
    #[setting(key = "Server")]
    other: String,
}

fn main() {}
