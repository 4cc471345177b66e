use plugin_api::ActorRow;

#[derive(ActorRow)]
struct Customer {
    name: String,
}

fn main() {}
