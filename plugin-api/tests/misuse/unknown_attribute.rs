#[derive(plugin_api::SettingsForm)]
struct Setup {
    #[setting(lable = "Server")]
    server: String,
}

fn main() {}
