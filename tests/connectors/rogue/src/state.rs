//! Commands for the state of the connection, given as the name of a list.

use std::thread;

use plugin_api::{CompareAndSet, Context, Error, ListItem, Result};

/// Runs a command; its result is a list.
///
/// - `get KEY`, `put KEY VALUE`, `delete KEY`, `keys PREFIX`;
/// - `large KEY BYTES`: puts a value of so many bytes;
/// - `add KEY TIMES`: adds 1 so often, with compare-and-set; the items are the numbers that it has written;
/// - `threads TIMES`: so many threads put an entry each, at once;
/// - `late KEY VALUE`: puts when the call is cancelled.
pub(crate) fn run(cx: &Context, command: &str) -> Result<Vec<ListItem>> {
    let state = cx.state();
    let mut words = command.splitn(3, ' ');
    let (verb, key, rest) =
        (words.next(), words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let item = |text: String| vec![ListItem::new(key, text)];
    Ok(match verb {
        Some("get") => match state.get(key)? {
            Some(entry) => item(entry.value().to_owned()),
            None => Vec::new(),
        },
        Some("put") => item(state.put(key, rest)?.number().to_string()),
        Some("large") => item(state.put(key, &"x".repeat(rest.parse()?))?.number().to_string()),
        Some("delete") => state.delete(key).map(|()| Vec::new())?,
        Some("keys") => state.keys(key)?.into_iter().map(|key| ListItem::new(key, "")).collect(),
        Some("add") => {
            let mut written = Vec::new();
            while written.len() < rest.parse()? {
                let entry = state.get(key)?;
                let number: u64 = entry.as_ref().map_or(Ok(0), |entry| entry.value().parse())? + 1;
                let version = entry.map(|entry| entry.version());
                if let CompareAndSet::Set(_) = state.compare_and_set(key, version, &number.to_string())? {
                    written.push(ListItem::new(number.to_string(), ""));
                }
            }
            written
        }
        Some("threads") => {
            let put = |number: u32| {
                let state = cx.state();
                thread::spawn(move || state.put(&format!("thread/{number}"), &number.to_string()))
            };
            let threads: Vec<_> = (0..key.parse()?).map(put).collect();
            for thread in threads {
                thread.join().map_err(|_| Error::user("a thread has panicked"))??;
            }
            Vec::new()
        }
        Some("late") => {
            while !cx.is_cancelled() {
                thread::yield_now();
            }
            state.put(key, rest)?;
            Vec::new()
        }
        _ => return Err(Error::user(format!("no such command: {command}"))),
    })
}
