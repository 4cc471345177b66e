use plugin_api::ActorRow;

#[derive(ActorRow)]
struct Customer {
    #[actor(id)]
    number: u32,
}

fn main() {}
