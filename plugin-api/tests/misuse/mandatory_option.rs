#[derive(plugin_api::SettingsForm)]
struct Setup {
    #[setting(mandatory)]
    server: Option<String>,
}

fn main() {}
