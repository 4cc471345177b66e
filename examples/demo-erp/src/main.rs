//! The demo ERP system as a program: `cargo run --package demo-erp [ADDRESS]`.

use std::error::Error;

use demo_erp::{DemoErp, PASSWORD, USER};

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8090".to_owned());
    let erp = DemoErp::start_at(&address)?;
    println!("the demo ERP system is at {}, with the user {USER} and the password {PASSWORD}", erp.address());
    loop {
        std::thread::park();
    }
}
