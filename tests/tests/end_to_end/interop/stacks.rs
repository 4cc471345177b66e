//! SOAP stacks, and how each of them plays the scenario of `tests/interop`.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use contract::Operation;
use test_support::build::{target, workspace};
use test_support::tools;

/// What is tried besides the operations.
const BEFORE: [&str; 1] = ["WSDL"];
const AFTER: [&str; 5] = ["1,000 rows", "escaping", "null and empty", "dictionaries", "fault"];

/// A stack, and how it plays the scenario in a contract, in a folder of its own.
pub(super) struct Stack {
    pub(super) name: &'static str,
    pub(super) is_there: fn() -> bool,
    /// Generates and compiles a client, one command after the other. A client that was made from the same WSDL and sources
    /// before is used again: compilers take most of the time of this test.
    compile: fn(&Play) -> Vec<Command>,
    run: fn(&Play) -> Command,
}

/// One play of the scenario.
pub(super) struct Play {
    /// The dialect, or the name of a folder or file of `tests/fixtures/contracts`.
    pub(super) contract: &'static str,
    /// The address of the WSDL.
    pub(super) wsdl: String,
    /// The address of the service.
    pub(super) address: String,
    /// What the WSDL is, with all that it imports. The client is compiled again when this changes.
    pub(super) documents: String,
    pub(super) number: usize,
    /// Its own one among the folders of the stack.
    pub(super) folder: String,
}

impl Play {
    /// The connection of this play.
    fn guid(&self) -> String {
        format!("00000000-0000-4000-8000-{:012}", self.number)
    }

    fn folder(&self, stack: &Stack) -> PathBuf {
        target().join("interop").join(stack.name.replace(' ', "-")).join(&self.folder)
    }
}

pub(super) const STACKS: [Stack; 8] = [
    Stack {
        name: "zeep",
        is_there: || tools::python_with_soap().is_some(),
        compile: |_| Vec::new(),
        run: |play| python(play, "with_zeep.py"),
    },
    Stack {
        name: "suds",
        is_there: || tools::python_with_soap().is_some(),
        compile: |_| Vec::new(),
        run: |play| python(play, "with_suds.py"),
    },
    Stack {
        name: "node-soap",
        is_there: || tools::node_modules_with_soap().is_some(),
        compile: |_| Vec::new(),
        run: |play| node(play, "with_soap.js"),
    },
    Stack {
        name: "strong-soap",
        is_there: || tools::node_modules_with_soap().is_some(),
        compile: |_| Vec::new(),
        run: |play| node(play, "with_strong_soap.js"),
    },
    Stack {
        name: "PHP SoapClient",
        is_there: || tools::installed(&["php"], &[], "php-cli php-soap"),
        compile: |_| Vec::new(),
        run: php,
    },
    Stack {
        name: "gSOAP",
        is_there: || tools::installed(&["g++", "wsdl2h", "soapcpp2"], &[], "gsoap libgsoap-dev g++"),
        compile: compile_gsoap,
        run: |play| command("./scenario", &[&play.address, &play.guid()]),
    },
    Stack {
        name: "JAX-WS",
        is_there: || tools::installed(&["javac", "java", "wsimport"], &[JAXWS], "jaxws default-jdk-headless"),
        compile: compile_jaxws,
        run: run_jaxws,
    },
    Stack {
        name: "Mono WCF",
        is_there: || tools::installed(&["mcs", "mono", "svcutil"], &[], "mono-mcs mono-devel"),
        compile: compile_mono,
        run: |play| command("mono", &["scenario.exe", &play.address, &play.guid()]),
    },
];

/// The run-time classes of JAX-WS.
const JAXWS: &str = "/usr/share/java/jaxws-rt.jar";

fn sources(file: &str) -> PathBuf {
    workspace().join("tests/interop").join(file)
}

fn command(program: impl AsRef<Path>, arguments: &[&str]) -> Command {
    let mut command = Command::new(program.as_ref());
    command.args(arguments);
    command
}

fn python(play: &Play, program: &str) -> Command {
    let mut python = command(tools::python_with_soap().unwrap_or_default(), &["-B"]);
    python.arg(sources("python").join(program)).args([play.wsdl.as_str(), play.contract, &play.guid()]);
    python
}

fn node(play: &Play, program: &str) -> Command {
    let mut node = command("node", &[]);
    node.env("NODE_PATH", tools::node_modules_with_soap().unwrap_or_default());
    node.arg(sources("node").join(program)).args([play.wsdl.as_str(), play.contract, &play.guid()]);
    node
}

fn php(play: &Play) -> Command {
    let mut php = command("php", &[]);
    php.arg(sources("php/with_php.php")).args([play.wsdl.as_str(), play.contract, &play.guid()]);
    php
}

/// The contract as the sources of some stacks name it.
fn symbol(play: &Play) -> String {
    play.contract.to_uppercase().replace('-', "_")
}

fn compile_gsoap(play: &Play) -> Vec<Command> {
    let proxy = "soapBasicHttpBinding_USCOREIErpConnectorWSProxy.cpp";
    let mut compile = command("g++", &["-O0", "-I.", "-o", "scenario"]);
    compile.arg(format!("-D{}", symbol(play)));
    compile.arg(sources("gsoap/scenario.cpp")).args(["soapC.cpp", proxy, "-lgsoap++"]);
    vec![
        command("wsdl2h", &["-P", "-o", "connector.h", &play.wsdl]),
        command("soapcpp2", &["-j", "-1", "-C", "-L", "-x", "-I/usr/share/gsoap/import", "connector.h"]),
        compile,
    ]
}

fn compile_jaxws(play: &Play) -> Vec<Command> {
    // Several operations share a request class, which JAX-WS takes only when asked twice. Headers are messages of their own.
    let mut import = command("wsimport", &["-quiet", "-extension", "-XadditionalHeaders", "-d", ".", "-b"]);
    import.arg(sources("jaxws/members.xjb")).arg(&play.wsdl);
    let class_path = format!("{JAXWS}:.");
    let mut compile =
        command("javac", &["-proc:none", "-nowarn", "-encoding", "utf-8", "-cp", &class_path, "-d", "."]);
    compile.args(["Scenario.java", "Generated.java"].map(|file| sources("jaxws").join(file)));
    vec![import, compile]
}

fn run_jaxws(play: &Play) -> Command {
    let class_path = format!("{JAXWS}:.");
    // Short-lived: no optimising compiler, no parallel garbage collector.
    let mut java = command("java", &["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Dfile.encoding=UTF-8"]);
    let package = if play.contract == "split" { "org.tempuri" } else { "net.superoffice.eis.connector._1" };
    let service = format!("{package}.ErpConnectorService");
    java.args(["-cp", &class_path, "Scenario", &play.wsdl, &play.guid(), &service]);
    java
}

fn compile_mono(play: &Play) -> Vec<Command> {
    let mut compile = command("mcs", &["-langversion:latest", "-nowarn:1,618,3019", "-out:scenario.exe"]);
    compile.args(["System.ServiceModel", "System.Runtime.Serialization"].map(|name| format!("-r:{name}")));
    compile.args(["client.cs".into(), sources("mono/Scenario.cs")]);
    let generate = match play.contract {
        "data" | "plain" => command("svcutil", &["/out:client.cs", "/noConfig", &play.wsdl]),
        "split" => {
            compile.arg("-d:ONE_DOCUMENT");
            let single = play.wsdl.replace("?wsdl", "?singleWsdl");
            command("svcutil", &["/out:client.cs", "/noConfig", &single])
        }
        _ => {
            compile.arg("-d:MESSAGE_CONTRACTS");
            let mut python = command("python3", &["-B"]);
            python.arg(sources("mono/message_contracts.py")).args([play.wsdl.as_str(), "client.cs"]);
            python
        }
    };
    vec![generate, compile]
}

/// What one play showed: each thing that was tried, and the limit that it met.
pub(super) type Shown = BTreeMap<String, Option<String>>;

/// Plays the scenario. `addresses`: those of this run, which do not count where a client was made before.
pub(super) fn play(stack: &Stack, play: &Play, addresses: &[SocketAddr]) -> Result<Shown, String> {
    let folder = play.folder(stack);
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let commands = (stack.compile)(play);
    if !commands.is_empty() {
        let (stamp, made_from) = (folder.join("made-from"), made_from(&commands, play, addresses));
        if fs::read_to_string(&stamp).ok().as_ref() != Some(&made_from) {
            let _ = fs::remove_dir_all(&folder);
            fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
            for command in commands {
                run(command, &folder)?;
            }
            fs::write(stamp, made_from).map_err(|error| error.to_string())?;
        }
    }
    let output = run((stack.run)(play), &folder)?;
    let mut shown = Shown::new();
    for line in output.lines() {
        if let Some(aspect) = line.strip_prefix("ok ") {
            shown.entry(aspect.to_owned()).or_default();
        } else if let Some((aspect, reason)) =
            line.strip_prefix("limit ").and_then(|line| line.split_once(": "))
        {
            shown.insert(aspect.to_owned(), Some(reason.to_owned()));
        }
    }
    match aspects().find(|aspect| !shown.contains_key(*aspect)) {
        None => Ok(shown),
        Some(missing) => Err(format!("nothing was said about {missing}:\n{output}")),
    }
}

/// What a client is made from, without the addresses of this run: the commands, the WSDL and the sources.
fn made_from(commands: &[Command], play: &Play, addresses: &[SocketAddr]) -> String {
    let mut text: String = commands.iter().map(|command| format!("{command:?}\n")).collect();
    text += &play.documents;
    let arguments: Vec<String> = commands
        .iter()
        .flat_map(|command| command.get_args().map(|argument| argument.to_string_lossy().into_owned()))
        .collect();
    let files = arguments.iter().filter(|argument| Path::new(argument).starts_with(sources("")));
    files.for_each(|file| text += &fs::read_to_string(file).expect("a source"));
    for address in addresses {
        text = text.replace(&address.to_string(), "HOST");
    }
    text
}

/// Runs a command in this folder, and gives what it prints.
fn run(mut command: Command, folder: &Path) -> Result<String, String> {
    let done = command
        .current_dir(folder)
        .env("LC_ALL", "C.UTF-8")
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    let output = String::from_utf8_lossy(&done.stdout).into_owned();
    if done.status.success() {
        return Ok(output);
    }
    Err(format!("{command:?}\n{output}\n{}", String::from_utf8_lossy(&done.stderr)))
}

/// Everything that is tried, in the order of the table.
pub(super) fn aspects() -> impl Iterator<Item = &'static str> {
    BEFORE.into_iter().chain(Operation::ALL.iter().map(|operation| operation.name())).chain(AFTER)
}

/// Plays of stacks, two at a time; each with the stack's name and the play's folder.
pub(super) fn play_all(
    plays: Vec<(&'static Stack, Play)>,
    addresses: &[SocketAddr],
) -> BTreeMap<(&'static str, String), Shown> {
    let waiting = Mutex::new(plays.into_iter());
    let results = Mutex::new(BTreeMap::new());
    let failed = Mutex::new(Vec::new());
    let next = || waiting.lock().expect("no thread has panicked").next();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((stack, of)) = next() {
                    match play(stack, &of, addresses) {
                        Ok(shown) => {
                            results
                                .lock()
                                .expect("no thread has panicked")
                                .insert((stack.name, of.folder), shown);
                        }
                        Err(error) => {
                            let text = format!("{}, {}: {error}", stack.name, of.folder);
                            failed.lock().expect("no thread has panicked").push(text);
                        }
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("no thread has panicked");
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
    results.into_inner().expect("no thread has panicked")
}
