//! Contracts that no dialect has are learned from the WSDL of a service and served. Clients that are generated from that
//! WSDL, and from the one that is served, make every call.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use test_support::build::workspace;
use test_support::http::{self, Response};
use test_support::{MIRROR, Setup, TestHost, exchange, tools};

use super::stacks::{Play, STACKS, Stack, play_all};
use super::table;

/// Those of `tests/fixtures/contracts`.
const CONTRACTS: [&str; 3] = ["reversed", "quote-style", "split"];
/// The stacks that generate clients.
const GENERATORS: [&str; 4] = ["zeep", "gSOAP", "JAX-WS", "Mono WCF"];
/// What the folder of a client is named by that was generated from the served WSDL.
const SERVED: &str = ", served";
/// What asks for the documents of a contract.
const QUERIES: [&str; 6] = ["wsdl", "wsdl=wsdl0", "xsd=xsd0", "xsd=xsd1", "xsd=xsd2", "singleWsdl"];
/// The address in the WSDLs.
const ADDRESS: &str = "http://localhost:8080/Services/ErpConnectorWS.svc";

/// A document of a contract by the query that asks for it.
fn document(folder: &Path, contract: &str, query: &str) -> Option<String> {
    let file = match folder.join(contract) {
        folder if folder.is_dir() => folder.join(format!("{query}.xml")),
        _ => folder.join(format!("{contract}.wsdl")),
    };
    fs::read_to_string(file).ok()
}

/// Serves the documents of all contracts, each below its name, as those of a service at `address`.
fn serve_documents(address: impl Fn(&str) -> String + Send + Sync + 'static) -> SocketAddr {
    let folder = workspace().join("tests/fixtures/contracts");
    http::server::serve(move |received| {
        let (path, query) = received.request.target.split_once('?')?;
        let contract = path.trim_start_matches('/');
        let host = received.header("Host")?;
        let text = document(&folder, contract, query)?
            .replace(&format!("{ADDRESS}?"), &format!("http://{host}/{contract}?"))
            .replace(ADDRESS, &address(contract));
        Some(Response::new(200, "text/xml; charset=utf-8", text))
    })
}

/// A host that serves by what it learned from these documents.
fn host(documents: SocketAddr) -> TestHost {
    let files = CONTRACTS.map(|contract| format!("\"{contract}.toml\"")).join(", ");
    let mut host =
        Setup::new().plugin(MIRROR).configuration(&format!("[contract]\nprofiles = [{files}]\n")).prepare();
    for contract in CONTRACTS {
        let (url, file) = (format!("http://{documents}/{contract}?wsdl"), format!("{contract}.toml"));
        let learned = host.command(&["contract", "learn", &url, "--out", &file]);
        assert!(learned.status.success(), "{}", String::from_utf8_lossy(&learned.stderr));
    }
    host.start();
    host
}

#[test]
fn fixtures_are_what_their_script_writes() {
    if !tools::installed(&["python3"], &[], "python3") {
        return;
    }
    let (folder, written) =
        (workspace().join("tests/fixtures/contracts"), tempfile::tempdir().expect("a folder"));
    let mut script = Command::new("python3");
    script.arg("-B").arg(folder.join("generate.py")).arg(written.path());
    assert!(script.status().expect("the script runs").success());
    for contract in CONTRACTS {
        for query in QUERIES {
            let of_script = document(written.path(), contract, query);
            assert_eq!(of_script, document(&folder, contract, query), "{contract}: {query}");
        }
    }
}

#[test]
fn learned_contracts_are_served_to_clients_of_their_wsdl() {
    let stacks: Vec<&Stack> =
        STACKS.iter().filter(|stack| GENERATORS.contains(&stack.name) && (stack.is_there)()).collect();
    let learned_from = serve_documents(|contract| format!("http://erp.example/{contract}"));
    let host = host(learned_from);
    let service = format!("http://{}{}", host.address(), exchange::PATH);
    let at = service.clone();
    let original = serve_documents(move |contract| format!("{at}?dialect={contract}"));
    let folder = workspace().join("tests/fixtures/contracts");
    let mut plays = Vec::new();
    for stack in &stacks {
        for contract in CONTRACTS {
            let served = format!("{service}?wsdl&dialect={contract}");
            for (wsdl, suffix) in [(format!("http://{original}/{contract}?wsdl"), ""), (served, SERVED)] {
                // Its svcutil makes nothing of imported documents; only the original is there in one document, too.
                if (stack.name, contract, suffix) == ("Mono WCF", "split", SERVED) {
                    continue;
                }
                let play = Play {
                    contract,
                    wsdl,
                    address: format!("{service}?dialect={contract}"),
                    documents: QUERIES
                        .iter()
                        .filter_map(|query| document(&folder, contract, query))
                        .collect(),
                    number: plays.len(),
                    folder: format!("{contract}{suffix}"),
                };
                plays.push((*stack, play));
            }
        }
    }
    let results = play_all(plays, &[host.address(), original]);
    if stacks.len() == GENERATORS.len() {
        table::write("interop::contracts", &table::by_contract(&results, &GENERATORS, &CONTRACTS, SERVED));
    }
}
