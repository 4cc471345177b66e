//! Eight SOAP stacks that know nothing of us read the served WSDL and make every call, in every dialect. What each of them
//! can do is written to docs/interop.md.

mod contracts;
mod stacks;
mod table;

use self::stacks::{Play, STACKS, Stack, play_all};
use test_support::{MIRROR, Setup, http};

const DIALECTS: [&str; 3] = ["message", "data", "plain"];

#[test]
fn every_stack_makes_every_call() {
    // One after the other: what is missing is installed once.
    let stacks: Vec<&Stack> = STACKS.iter().filter(|stack| (stack.is_there)()).collect();
    let host = Setup::new().plugin(MIRROR).start();
    let all = stacks.iter().flat_map(|stack| DIALECTS.map(|dialect| (*stack, dialect)));
    let play = |(number, (stack, dialect)): (usize, (&'static Stack, &'static str))| {
        let target = format!("{}?singleWsdl&dialect={dialect}", test_support::exchange::PATH);
        let play = Play {
            contract: dialect,
            wsdl: host.wsdl_url(dialect),
            address: format!("http://{}{}?dialect={dialect}", host.address(), test_support::exchange::PATH),
            documents: http::Request::get(&target).send(host.address()).expect("the WSDL").text(),
            number,
            folder: dialect.to_owned(),
        };
        (stack, play)
    };
    let results = play_all(all.enumerate().map(play).collect(), &[host.address()]);
    if stacks.len() == STACKS.len() {
        let names: Vec<_> = STACKS.iter().map(|stack| stack.name).collect();
        table::write("interop", &table::by_aspect(&results, &names, &DIALECTS));
    }
}
