#[derive(plugin_api::SettingsForm)]
struct Setup {
    #[setting(list = "Ports")]
    port: i64,
    #[setting(default = "yes")]
    read_only: bool,
    #[setting(max_length = 10)]
    size: f64,
}

fn main() {}
