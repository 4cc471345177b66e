//! Eight SOAP stacks that know nothing of us read the served WSDL and make every call, in every dialect. What each of them
//! can do is written to docs/interop.md.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use contract::Operation;
use test_support::build::{target, workspace};
use test_support::{MIRROR, Setup, TestHost, http, tools};

const PAGE: &str = "docs/interop.md";
const DIALECTS: [&str; 3] = ["message", "data", "plain"];

/// What is tried besides the operations.
const BEFORE: [&str; 1] = ["WSDL"];
const AFTER: [&str; 5] = ["1,000 rows", "escaping", "null and empty", "dictionaries", "fault"];

/// A stack, and how it plays the scenario in a dialect, in a folder of its own.
struct Stack {
    name: &'static str,
    is_there: fn() -> bool,
    /// Generates and compiles a client, one command after the other. A client that was made from the same WSDL and sources
    /// before is used again: compilers take most of the time of this test.
    compile: fn(&Play<'_>) -> Vec<Command>,
    run: fn(&Play<'_>) -> Command,
}

/// One play of the scenario.
struct Play<'p> {
    dialect: &'p str,
    wsdl: String,
    address: String,
    guid: String,
    folder: PathBuf,
}

const STACKS: [Stack; 8] = [
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
        run: |play| command(play.folder.join("scenario"), &[&play.address, &play.guid]),
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
        run: |play| command("mono", &["scenario.exe", &play.address, &play.guid]),
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

fn python(play: &Play<'_>, program: &str) -> Command {
    let mut python = command(tools::python_with_soap().unwrap_or_default(), &["-B"]);
    python.arg(sources("python").join(program)).args([play.wsdl.as_str(), play.dialect, &play.guid]);
    python
}

fn node(play: &Play<'_>, program: &str) -> Command {
    let mut node = command("node", &[]);
    node.env("NODE_PATH", tools::node_modules_with_soap().unwrap_or_default());
    node.arg(sources("node").join(program)).args([play.wsdl.as_str(), play.dialect, &play.guid]);
    node
}

fn php(play: &Play<'_>) -> Command {
    let mut php = command("php", &[]);
    php.arg(sources("php/with_php.php")).args([play.wsdl.as_str(), play.dialect, &play.guid]);
    php
}

fn compile_gsoap(play: &Play<'_>) -> Vec<Command> {
    let proxy = "soapBasicHttpBinding_USCOREIErpConnectorWSProxy.cpp";
    let mut compile = command("g++", &["-O0", "-I.", "-o", "scenario"]);
    compile.arg(format!("-D{}", play.dialect.to_uppercase()));
    compile.arg(sources("gsoap/scenario.cpp")).args(["soapC.cpp", proxy, "-lgsoap++"]);
    vec![
        command("wsdl2h", &["-P", "-o", "connector.h", &play.wsdl]),
        command("soapcpp2", &["-j", "-1", "-C", "-L", "-x", "-I/usr/share/gsoap/import", "connector.h"]),
        compile,
    ]
}

fn compile_jaxws(play: &Play<'_>) -> Vec<Command> {
    // Several operations share a request class, which JAX-WS takes only when asked twice.
    let mut import = command("wsimport", &["-quiet", "-extension", "-d", ".", "-b"]);
    import.arg(sources("jaxws/plain.xjb")).arg(&play.wsdl);
    let class_path = format!("{JAXWS}:.");
    let mut compile =
        command("javac", &["-proc:none", "-nowarn", "-encoding", "utf-8", "-cp", &class_path, "-d", "."]);
    compile.args(
        ["Scenario.java", "only_in_plain/Requests.java", "only_in_plain/Authentication.java"]
            .map(|file| sources("jaxws").join(file)),
    );
    vec![import, compile]
}

fn run_jaxws(play: &Play<'_>) -> Command {
    let class_path = format!("{JAXWS}:.");
    // Short-lived: no optimising compiler, no parallel garbage collector.
    let mut java = command("java", &["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Dfile.encoding=UTF-8"]);
    java.args(["-cp", &class_path, "Scenario", &play.wsdl, &play.guid]);
    java
}

fn compile_mono(play: &Play<'_>) -> Vec<Command> {
    // svcutil makes no message contracts: those of `message` are written by hand, on the carriers of `data`.
    let wsdl = play.wsdl.replace("dialect=message", "dialect=data");
    let mut compile = command("mcs", &["-langversion:latest", "-nowarn:1,618,3019", "-out:scenario.exe"]);
    compile.arg(format!("-d:{}", play.dialect.to_uppercase()));
    compile.args(
        ["System.ServiceModel", "System.Runtime.Serialization", "Microsoft.CSharp"]
            .map(|name| format!("-r:{name}")),
    );
    compile.args(["client.cs".into(), sources("mono/Scenario.cs")]);
    if play.dialect == "message" {
        compile.arg(sources("mono/MessageContracts.cs"));
    }
    vec![command("svcutil", &["/out:client.cs", "/noConfig", &wsdl]), compile]
}

/// What one play showed: each thing that was tried, and the limit that it met.
type Shown = BTreeMap<String, Option<String>>;

fn play(stack: &Stack, number: usize, dialect: &str, host: &TestHost) -> Result<Shown, String> {
    let folder = target().join("interop").join(stack.name.replace(' ', "-")).join(dialect);
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let play = Play {
        dialect,
        wsdl: host.wsdl_url(dialect),
        address: format!("http://{}{}?dialect={dialect}", host.address(), test_support::exchange::PATH),
        guid: format!("00000000-0000-4000-8000-{number:012}"),
        folder,
    };
    let commands = (stack.compile)(&play);
    if !commands.is_empty() {
        let (stamp, made_from) = (play.folder.join("made-from"), made_from(&commands, dialect, host));
        if fs::read_to_string(&stamp).ok().as_ref() != Some(&made_from) {
            let _ = fs::remove_dir_all(&play.folder);
            fs::create_dir_all(&play.folder).map_err(|error| error.to_string())?;
            for command in commands {
                run(command, &play)?;
            }
            fs::write(stamp, made_from).map_err(|error| error.to_string())?;
        }
    }
    let output = run((stack.run)(&play), &play)?;
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

/// What a client is made from, without the address of this run's host: the commands, the WSDL and the sources.
fn made_from(commands: &[Command], dialect: &str, host: &TestHost) -> String {
    let mut text: String = commands.iter().map(|command| format!("{command:?}\n")).collect();
    for dialect in [dialect, "data"] {
        let target = format!("{}?singleWsdl&dialect={dialect}", test_support::exchange::PATH);
        text += &http::Request::get(&target).send(host.address()).expect("the WSDL").text();
    }
    let arguments: Vec<String> = commands
        .iter()
        .flat_map(|command| command.get_args().map(|argument| argument.to_string_lossy().into_owned()))
        .collect();
    let files = arguments.iter().filter(|argument| Path::new(argument).starts_with(sources("")));
    files.for_each(|file| text += &fs::read_to_string(file).expect("a source"));
    text.replace(&host.address().to_string(), "HOST")
}

/// Runs a command in the folder of a play, and gives what it prints.
fn run(mut command: Command, play: &Play<'_>) -> Result<String, String> {
    let done = command
        .current_dir(&play.folder)
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
fn aspects() -> impl Iterator<Item = &'static str> {
    BEFORE.into_iter().chain(Operation::ALL.iter().map(|operation| operation.name())).chain(AFTER)
}

#[test]
fn every_stack_makes_every_call() {
    // One after the other: what is missing is installed once.
    let stacks: Vec<&Stack> = STACKS.iter().filter(|stack| (stack.is_there)()).collect();
    let host = Setup::new().plugin(MIRROR).start();
    let plays: Vec<(usize, &Stack, &str)> = stacks
        .iter()
        .flat_map(|stack| DIALECTS.map(|dialect| (*stack, dialect)))
        .enumerate()
        .map(|(number, (stack, dialect))| (number, stack, dialect))
        .collect();
    let waiting = Mutex::new(plays.into_iter());
    let results = Mutex::new(BTreeMap::<(&str, &str), Result<Shown, String>>::new());
    let next = || waiting.lock().expect("no thread has panicked").next();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((number, stack, dialect)) = next() {
                    let shown = play(stack, number, dialect, &host);
                    results.lock().expect("no thread has panicked").insert((stack.name, dialect), shown);
                }
            });
        }
    });
    let results = results.into_inner().expect("no thread has panicked");
    let failed: Vec<String> = results
        .iter()
        .filter_map(|((stack, dialect), shown)| {
            Some(format!("{stack}, {dialect}: {}", shown.as_ref().err()?))
        })
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
    if stacks.len() == STACKS.len() {
        write(&table(&results));
    }
}

/// The table, and below it what stacks cannot do.
fn table(results: &BTreeMap<(&str, &str), Result<Shown, String>>) -> String {
    let mut limits: Vec<String> = Vec::new();
    let mut table = String::from("| |");
    for stack in &STACKS {
        table += &format!(" {} |", stack.name);
    }
    table += &format!("\n|---|{}\n", "---|".repeat(STACKS.len()));
    for aspect in aspects() {
        table += &format!("| {aspect} |");
        for stack in &STACKS {
            let reasons: BTreeSet<&String> = DIALECTS
                .iter()
                .filter_map(|dialect| results[&(stack.name, *dialect)].as_ref().ok()?[aspect].as_ref())
                .collect();
            let notes: Vec<String> =
                reasons.into_iter().map(|reason| note(&mut limits, stack.name, reason)).collect();
            table += &if notes.is_empty() { " ✓ |".to_owned() } else { format!(" {} |", notes.join(" ")) };
        }
        table += "\n";
    }
    for (index, limit) in limits.iter().enumerate() {
        table += &format!("\n{}. {limit}", index + 1);
    }
    table + "\n"
}

/// The mark of a limit in the table.
fn note(limits: &mut Vec<String>, stack: &str, reason: &str) -> String {
    let limit = format!("{stack}: {reason}.");
    let index = limits.iter().position(|known| *known == limit).unwrap_or_else(|| {
        limits.push(limit);
        limits.len() - 1
    });
    format!("({})", index + 1)
}

/// Writes the table to its page. A page that said something else is put right, and the test fails once.
fn write(table: &str) {
    let file = workspace().join(PAGE);
    let page = fs::read_to_string(&file).expect("the page is read");
    let (begin, end) =
        ("<!-- written by the test interop: begin -->\n", "<!-- written by the test interop: end -->");
    let (before, rest) = page.split_once(begin).expect("the page has the mark where the table begins");
    let (_, after) = rest.split_once(end).expect("the page has the mark where the table ends");
    let written = format!("{before}{begin}\n{table}\n{end}{after}");
    if written != page {
        fs::write(&file, written).expect("the page is written");
        panic!("{PAGE} did not say what was seen: it does now, look at it and commit it");
    }
}
