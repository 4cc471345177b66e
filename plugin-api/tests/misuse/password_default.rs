#[derive(plugin_api::SettingsForm)]
struct Setup {
    #[setting(password, default = "secret")]
    password: String,
}

fn main() {}
