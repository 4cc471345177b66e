//! Recorded messages, changed in every way: the reader answers each of them, in time, and keeps nothing.

use std::io::{BufReader, Read};
use std::process::{ChildStdout, Command, Stdio};

use contract::xml::{Limits, Tokenizer};
use contract::{Fault, Operation, SoapVersion};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use test_support::build::workspace;
use test_support::{scale, tools};

use crate::watch::{Watch, peak_memory};

/// How much more memory than after the first tenth of the cases there may be in the end, in KiB.
const GROWTH: u64 = 64 * 1024;

/// In how many messages each change is made.
const MESSAGES_A_CHANGE: usize = 8;

/// A recorded message.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    pub(crate) action: String,
    operation: Operation,
    pub(crate) message: Vec<u8>,
}

/// Every recorded request and reply.
pub(crate) fn recorded() -> Vec<Recorded> {
    let mut all = Vec::new();
    for dialect in ["message", "data", "plain"] {
        let folder = workspace().join("tests/fixtures/recordings").join(dialect);
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let json: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            let action = json["soap_action"].as_str().unwrap().to_owned();
            let operation = Operation::from_name(json["operation"].as_str().unwrap()).unwrap();
            for kind in ["request.xml", "response.xml"] {
                let message = std::fs::read(path.with_extension(kind)).unwrap();
                all.push(Recorded { action: action.clone(), operation, message });
            }
        }
    }
    assert!(all.len() > 100);
    all
}

/// Reads a message as the host and its clients do, and does with the result what they do. Returns whether it is a call.
fn serve(bytes: &[u8], like: &Recorded) -> bool {
    let mut is_call = false;
    for action in [Some(like.action.as_str()), None] {
        let Ok(utf8) = contract::decode(bytes, None) else { continue };
        match contract::read_call(&utf8, action) {
            Ok(call) => {
                is_call = true;
                let mut written = Vec::new();
                contract::write_request(&mut written, &call);
                let again = contract::Profiles::builtin().read_call(
                    &written,
                    &contract::ReadOptions {
                        action: Some(&call.soap_action()),
                        preferred: Some(call.envelope.profile()),
                        limits: Limits::REPLY,
                    },
                );
                assert_eq!(
                    again.as_ref(),
                    Ok(&call),
                    "what is understood can be written and is understood again"
                );
            }
            Err(error) => {
                let mut fault = Vec::new();
                contract::write_fault(&mut fault, error.soap, &Fault::from(&error));
                assert!(fault.len() < 4096, "what comes back is short");
                assert_well_formed(&fault);
            }
        }
    }
    if let Err(error) = contract::read_reply(bytes, like.operation) {
        let mut fault = Vec::new();
        contract::write_fault(&mut fault, SoapVersion::V11, &Fault::client(error.to_string()));
        assert_well_formed(&fault);
    }
    is_call
}

fn assert_well_formed(bytes: &[u8]) {
    let mut xml = Tokenizer::new(std::str::from_utf8(bytes).unwrap(), Limits::REPLY);
    while xml.next().unwrap().is_some() {}
}

/// Runs these cases and looks at memory.
fn run_all(count: usize, mut next: impl FnMut(usize) -> bool) {
    let mut early = None;
    let mut calls = 0;
    for number in 0..count {
        calls += usize::from(next(number));
        if number == count / 10 {
            early = peak_memory();
        }
    }
    println!("{count} messages, of which {calls} could still be served");
    assert!(
        calls > 0 && calls < count,
        "{calls} of {count} were calls: the changes are too large, or too small"
    );
    if let (Some(early), Some(end)) = (early, peak_memory()) {
        println!("memory {early} KiB after a tenth of them, {end} KiB in the end");
        assert!(end < early + GROWTH, "memory grew from {early} to {end} KiB");
    }
}

/// A change of a message.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// Puts another byte there.
    Byte(Index, u8),
    /// Puts something there that means something, or nearly so.
    Insert(Index, &'static str),
    /// Takes so much out.
    Remove(Index, usize),
    /// Ends it there.
    Cut(Index),
    /// Repeats so much from there so often.
    Repeat(Index, usize, usize),
    /// Puts in its place what stands elsewhere.
    Move(Index, Index, usize),
    /// Goes on with another message there.
    Splice(Index, Index),
    /// Writes it in UTF-16.
    Utf16,
}

const WORDS: &[&str] = &[
    "<",
    ">",
    "</",
    "/>",
    "&",
    "&#",
    "&#x1;",
    "&#xD800;",
    "&#1114112;",
    "&amp;",
    "&lol;",
    "<!--",
    "-->",
    "--",
    "]]>",
    "<![CDATA[",
    "]]>",
    "<?xml version='1.0'?>",
    "<?pi?>",
    "<!DOCTYPE x [<!ENTITY lol 'x'>]>",
    "<!ENTITY",
    "\"",
    "'",
    "=",
    " ",
    "\r\n",
    "\u{0}",
    "\u{b}",
    "\u{FFFE}",
    "\u{FEFF}",
    "\u{1F980}",
    "xmlns=''",
    " xmlns:p='u'",
    " p:x='1'",
    " i:nil='true'",
    " i:nil='false'",
    " xmlns:i='http://www.w3.org/2001/XMLSchema-instance'",
    " i:type='b:x'",
    " s:mustUnderstand='1'",
    "<s:Header/>",
    "<s:Body/>",
    "</s:Body>",
    "</s:Envelope>",
    "<request/>",
    "<a>",
    "</a>",
    "<ConnectionGuid>",
    "</ConnectionGuid>",
    "<a:KeyValueOfstringstring>",
    "<a:Key>",
    "<a:string/>",
    "99999999999",
    "-1",
    "true",
    "NaN",
    "<GetActorsRequestWS xmlns='http://www.superoffice.net/EIS/Connector/1.0'>",
    "<WSGetActors xmlns='http://www.superoffice.net/EIS/Connector/1.0'>",
    "http://schemas.datacontract.org/2004/07/SuperOffice.ErpSync",
    "http://www.w3.org/2003/05/soap-envelope",
];

pub(crate) fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    prop_oneof![
        3 => (at(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
        6 => (at(), proptest::sample::select(WORDS)).prop_map(|(at, word)| Change::Insert(at, word)),
        3 => (at(), 1_usize..80).prop_map(|(at, length)| Change::Remove(at, length)),
        1 => at().prop_map(Change::Cut),
        3 => (at(), 1_usize..100, 1_usize..100).prop_map(|(at, length, times)| Change::Repeat(at, length, times)),
        3 => (at(), at(), 1_usize..100).prop_map(|(from, to, length)| Change::Move(from, to, length)),
        2 => (at(), at()).prop_map(|(at, other)| Change::Splice(at, other)),
        1 => Just(Change::Utf16),
    ]
}

impl Change {
    pub(crate) fn make(&self, bytes: &mut Vec<u8>, all: &[Recorded]) {
        if bytes.is_empty() {
            return;
        }
        let length_of = bytes.len();
        let place = |at: &Index| at.index(length_of);
        let run = |at: usize, length: usize| at..(at + length).min(length_of);
        match self {
            Change::Byte(at, byte) => bytes[place(at)] = *byte,
            Change::Insert(at, word) => {
                let at = place(at);
                bytes.splice(at..at, word.bytes());
            }
            Change::Remove(at, length) => drop(bytes.drain(run(place(at), *length))),
            Change::Cut(at) => bytes.truncate(place(at)),
            Change::Repeat(at, length, times) => {
                let at = place(at);
                let part = bytes[run(at, *length)].repeat(*times);
                bytes.splice(at..at, part);
            }
            Change::Move(from, to, length) => {
                let part = bytes[run(place(from), *length)].to_vec();
                let to = place(to);
                bytes.splice(to..to, part);
            }
            Change::Splice(at, other) => {
                bytes.truncate(place(at));
                let other = &other.get(all).message;
                bytes.extend_from_slice(&other[at.index(other.len())..]);
            }
            Change::Utf16 => {
                let text = String::from_utf8_lossy(bytes).into_owned();
                *bytes =
                    std::iter::once(0xFEFF).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
            }
        }
    }
}

#[test]
fn mutated_messages_are_answered() {
    let all = recorded();
    let watch = Watch::start();
    let changes = proptest::collection::vec(change(), 1..5);
    let mut runner = TestRunner::new(Config::default());
    let mut made = Vec::new();
    run_all(scale(200_000), |number| {
        // To think of changes takes longer than to make them: each is made in several messages.
        if number % MESSAGES_A_CHANGE == 0 {
            made = changes.new_tree(&mut runner).unwrap().current();
        }
        let like = &all[which(number, all.len())];
        let mut bytes = like.message.clone();
        made.iter().for_each(|change| change.make(&mut bytes, &all));
        watch.case(&bytes, || serve(&bytes, like))
    });
}

/// Another message for every case, and in time every one for every kind of change.
fn which(number: usize, messages: usize) -> usize {
    (number + number / MESSAGES_A_CHANGE * 5) % messages
}

#[test]
fn radamsa_mutations_are_answered() {
    let Some(python) = tools::radamsa() else { return };
    let count = scale(5_000);
    let folder = workspace().join("tests/fixtures/recordings");
    let files = ["message", "data", "plain"].iter().flat_map(|dialect| {
        let files = std::fs::read_dir(folder.join(dialect)).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|file| file.extension().is_some_and(|extension| extension == "xml")).collect::<Vec<_>>()
    });
    let mut radamsa = Command::new(python)
        .arg(workspace().join("tests/radamsa/mutate.py"))
        .args([count.to_string(), "20261122".to_owned()])
        .args(files)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut mutated = BufReader::new(radamsa.stdout.take().unwrap());
    let all = recorded();
    let watch = Watch::start();
    run_all(count, |number| {
        let bytes = next(&mut mutated);
        watch.case(&bytes, || serve(&bytes, &all[number % all.len()]))
    });
    assert!(radamsa.wait().unwrap().success());
}

/// The next message: its length in four bytes, then itself.
fn next(mutated: &mut BufReader<ChildStdout>) -> Vec<u8> {
    let mut length = [0; 4];
    mutated.read_exact(&mut length).expect("as many as were asked for");
    let mut bytes = vec![0; u32::from_le_bytes(length) as usize];
    mutated.read_exact(&mut bytes).unwrap();
    bytes
}
