#[derive(plugin_api::SettingsForm)]
struct Setup {
    servers: Vec<u8>,
}

fn main() {}
