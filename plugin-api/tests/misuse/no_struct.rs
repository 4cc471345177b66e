#[derive(plugin_api::SettingsForm)]
enum Setup {
    Server,
}

fn main() {}
