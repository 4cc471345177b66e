//! Services of the host, as a connector reaches them through its context: the state of its connection.

use std::sync::{Arc, mpsc};

use values::Guid;

use crate::abi::adapter::connector_object;
use crate::abi::client::{ConnectionClient, ConnectorClient};
use crate::abi::{CallWatch, Message, Service, StateAccess, StateCondition, StateStore, StateWritten};
use crate::{
    ActorType, CompareAndSet, Connection, ConnectionState, Connector, Context, Error, ErrorKind, Field, Host,
    ListBased, ListItem, MemoryState, Result, Rows, Settings, StateEntry, StateVersion,
};

/// Runs one operation on its state for each list that is asked for; the items are the result.
struct Keeper;

impl Connector for Keeper {
    const NAME: &'static str = "Keeper";
    type Connection = Keeper;

    fn new(_: &Host) -> Result<Self> {
        Ok(Keeper)
    }

    fn settings(&self, _cx: &Context) -> Result<Vec<Field>> {
        Ok(Vec::new())
    }

    fn connect(&self, cx: &Context, _: &Settings) -> Result<Keeper> {
        cx.state().put("opened", "yes")?;
        Ok(Keeper)
    }
}

impl Connection for Keeper {
    fn test(&self, cx: &Context) -> Result<()> {
        cx.info(format!("{:?}", cx.state().keys("")?));
        Ok(())
    }

    fn actor_types(&self, _cx: &Context) -> Result<Vec<ActorType>> {
        Ok(Vec::new())
    }

    fn fields(&self, _cx: &Context, _: &str) -> Result<Vec<Field>> {
        Ok(Vec::new())
    }

    crate::list_based!(get, search, search_text, changed_since);

    fn list(&self, cx: &Context, name: &str) -> Result<Option<Vec<ListItem>>> {
        let state = cx.state();
        match name {
            "every operation" => every_operation(&state)?,
            "later" => {
                let (ended, has_ended) = mpsc::channel::<()>();
                LATER.with(|later| {
                    later.set(Some((
                        ended,
                        std::thread::spawn(move || {
                            let _ = has_ended.recv();
                            state.put("late", "x").unwrap_err().tech_text()
                        }),
                    )));
                });
            }
            key => {
                return Ok(Some(vec![ListItem::new(
                    key,
                    state.get(key)?.map_or(String::new(), |entry| entry.value().to_owned()),
                )]));
            }
        }
        Ok(None)
    }
}

thread_local! {
    static LATER: std::cell::Cell<Option<(mpsc::Sender<()>, std::thread::JoinHandle<String>)>> =
        const { std::cell::Cell::new(None) };
}

impl ListBased for Keeper {
    fn actors(&self, _cx: &Context, _: &str, _: &mut Rows<'_>) -> Result<()> {
        Ok(())
    }
}

/// Every operation of a state without entries.
fn every_operation(state: &ConnectionState) -> Result<()> {
    assert_eq!(state.get("a")?, None);
    let first = state.put("a", "one")?;
    assert_eq!(
        state.get("a")?.map(|entry| (entry.value().to_owned(), entry.version())),
        Some(("one".into(), first))
    );
    assert_eq!(state.compare_and_set("a", None, "two")?, CompareAndSet::Changed);
    let CompareAndSet::Set(second) = state.compare_and_set("a", Some(first), "two")? else {
        return Err(Error::user("the version is that of the entry"));
    };
    assert_ne!(first, second);
    assert_eq!(state.compare_and_set("a", Some(first), "three")?, CompareAndSet::Changed);
    assert!(!state.delete_if("a", first)?);
    assert!(state.delete_if("a", second)?);
    assert!(!state.delete_if("a", second)?);
    assert_eq!(state.get("a")?, None);
    let CompareAndSet::Set(third) = state.compare_and_set("a", None, "")? else {
        return Err(Error::user("there is no entry"));
    };
    assert!(third != first && third != second, "no version comes twice");
    assert_eq!(state.get("a")?.map(|entry| entry.value().to_owned()), Some(String::new()));
    state.put("page/2", "é\u{0}\n")?;
    state.put("page/10", "{}")?;
    assert_eq!(state.get("page/2")?.map(|entry| entry.value().to_owned()).as_deref(), Some("é\u{0}\n"));
    assert_eq!(state.keys("page/")?, ["page/10", "page/2"]);
    state.delete("page/2")?;
    state.delete("page/2")?;
    assert_eq!(state.keys("page/")?, ["page/10"]);
    state.delete("page/10")?;
    state.delete("a")?;
    for key in ["", "line\nbreak", &"k".repeat(257)] {
        for error in
            [state.get(key).unwrap_err(), state.put(key, "").unwrap_err(), state.delete(key).unwrap_err()]
        {
            assert!(error.tech_text().contains("a key of the state"), "{error}");
        }
    }
    Ok(())
}

fn connection_of(state: &MemoryState) -> ConnectionClient {
    let connector =
        ConnectorClient::new("Keeper".into(), Arc::new(connector_object(Keeper, std::path::PathBuf::new())));
    let settings = Settings::default().of_connection("3aef3af6-8642-4fc1-8dc9-4e08bd76a6bf", 1);
    watch(state).during(|| connector.connect(&settings)).unwrap()
}

fn watch(state: &MemoryState) -> CallWatch {
    CallWatch::of_connection(None, Guid::from_u128(1), Arc::new(state.clone()))
}

#[test]
fn state_has_the_same_operations_in_memory_and_across_the_boundary() {
    every_operation(&Context::default().state()).unwrap();
    let state = MemoryState::default();
    let connection = connection_of(&state);
    assert_eq!(watch(&state).during(|| connection.list("every operation")), Ok(None));
    assert_eq!(ConnectionState::from(state.clone()).keys("").unwrap(), ["opened"]);
}

#[test]
fn state_is_that_of_the_hosts_call() {
    let (one, other) = (MemoryState::default(), MemoryState::default());
    let (first, second) = (connection_of(&one), connection_of(&other));
    let set = |state: &MemoryState, value| {
        ConnectionState::from(state.clone()).put("who", value).unwrap();
    };
    set(&one, "one");
    set(&other, "other");
    let who = |connection: &ConnectionClient, state| {
        watch(state).during(|| connection.list("who")).unwrap().unwrap().remove(0).text
    };
    assert_eq!(who(&first, &one), "one");
    assert_eq!(who(&second, &other), "other");
    assert_eq!(who(&first, &other), "other", "the host decides, not the connection");
}

#[test]
fn state_of_settings_that_are_tried_out_ends_with_the_call() {
    let connector =
        ConnectorClient::new("Keeper".into(), Arc::new(connector_object(Keeper, std::path::PathBuf::new())));
    let state = MemoryState::default();
    let outcome = watch(&state).during(|| connector.test_settings(&Settings::default()));
    assert_eq!(outcome.user.as_deref(), Some("[\"opened\"]"), "one state for the whole call");
    let connection = watch(&state).during(|| connector.connect(&Settings::default())).unwrap();
    assert_eq!(connection.test().user.as_deref(), Some("[]"));
    assert!(ConnectionState::from(state.clone()).keys("").unwrap().is_empty(), "nothing of it is stored");
}

#[test]
fn state_without_a_host_that_has_it_is_an_error() {
    let connection = connection_of(&MemoryState::default());
    for outcome in
        [connection.list("a").unwrap_err(), CallWatch::new(None).during(|| connection.list("a")).unwrap_err()]
    {
        let tech = outcome.tech.unwrap_or_default();
        assert!(
            tech.contains("does not belong to a stored connection")
                || tech.contains("the host does not have"),
            "{tech}"
        );
    }
}

#[test]
fn state_is_refused_after_the_call() {
    let state = MemoryState::default();
    let connection = connection_of(&state);
    watch(&state).during(|| connection.list("later")).unwrap();
    let (ended, thread) = LATER.take().unwrap();
    ended.send(()).unwrap();
    assert!(thread.join().unwrap().contains("the call has ended"));
    assert_eq!(ConnectionState::from(state.clone()).keys("").unwrap(), ["opened"]);
}

#[test]
fn state_is_kept_also_in_a_cancelled_call() {
    let state = MemoryState::default();
    let connection = connection_of(&state);
    let cancelled = watch(&state);
    cancelled.cancel();
    assert_eq!(cancelled.during(|| connection.list("every operation")), Ok(None));
}

#[test]
fn panic_of_the_hosts_state_is_an_error_of_the_call() {
    struct Panics;
    impl StateStore for Panics {
        fn get(&self, _: StateAccess, _: &str) -> Result<Option<StateEntry>> {
            std::panic::resume_unwind(Box::new("the host's code"))
        }

        fn set(&self, _: StateAccess, _: &str, _: Option<&str>, _: StateCondition) -> Result<StateWritten> {
            Ok(StateWritten::Set(StateVersion::new(1)))
        }

        fn keys(&self, _: StateAccess, _: &str) -> Result<Vec<String>> {
            Ok(Vec::new())
        }
    }
    let connection = connection_of(&MemoryState::default());
    let outcome = CallWatch::of_connection(None, Guid::from_u128(1), Arc::new(Panics))
        .during(|| connection.list("a"))
        .unwrap_err();
    assert!(outcome.tech.unwrap_or_default().contains("the host failed"));
}

#[test]
fn unknown_service_and_malformed_requests_are_errors() {
    let call = watch(&MemoryState::default());
    let mut unreadable = Message::new();
    unreadable.put_number(7);
    call.during(|| {
        let caller = crate::abi::current().unwrap();
        let ask = |service, request: &Message| {
            let answer = caller.ask(service, request.as_ref());
            crate::service::read(answer.as_ref()).err().map(|error| (error.kind(), error.tech_text()))
        };
        let (_, tech) = ask(Service(4711), &Message::new()).unwrap();
        assert!(tech.contains("4711"), "{tech}");
        for service in [Service::STATE_GET, Service::STATE_SET, Service::STATE_KEYS] {
            for request in [&Message::new(), &unreadable] {
                assert!(ask(service, request).is_some(), "{service:?}");
            }
        }
        let lost = Service::STATE_SET.no_answer("lost");
        let kind = crate::service::read(lost.as_ref()).err().map(|error| error.kind());
        assert_eq!(kind, Some(ErrorKind::UnknownOutcome), "a write without an answer may have happened");
    });
}

#[test]
fn state_shows_no_value() {
    let cx = Context::default();
    cx.state().put("token", "top secret").unwrap();
    let entry = cx.state().get("token").unwrap().unwrap();
    let state = MemoryState::default();
    ConnectionState::from(state.clone()).put("token", "top secret").unwrap();
    let shown = format!("{cx:?} {:?} {entry:?} {state:?}", cx.state());
    assert!(!shown.contains("secret"), "{shown}");
    let error = cx.state().put("token", &"top secret ".repeat(6000)).unwrap_err();
    assert!(error.to_string().contains("66000 bytes") && !error.to_string().contains("secret"), "{error}");
}
