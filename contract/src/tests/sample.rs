//! Sample messages.

use crate::sample::{CONNECTION_GUID, indented, reply, request};
use crate::{Call, Envelope, Operation, Profile};

#[test]
fn samples_are_read_as_they_are_written() {
    for profile in Profile::all_builtin() {
        for &operation in Operation::ALL {
            let envelope = Envelope::from(std::sync::Arc::clone(profile));
            let guid = operation.request().is_some_and(|class| class.find("ConnectionGuid").is_some());
            let connection_guid = guid.then_some(CONNECTION_GUID.into());
            let call = Call { envelope: envelope.clone(), connection_guid, request: request(operation) };
            let mut sent = Vec::new();
            crate::write_request(&mut sent, &call);
            let sent = indented(&String::from_utf8(sent).unwrap());
            let action = call.soap_action();
            let read = super::read_call_preferring(profile, sent.as_bytes(), Some(&action));
            assert_eq!(read.unwrap(), call, "{sent}");

            let mut answer = Vec::new();
            crate::write_reply(&mut answer, &envelope, operation, &reply(operation));
            let answer = indented(&String::from_utf8(answer).unwrap());
            let read = crate::read_reply(answer.as_bytes(), operation).unwrap();
            assert_eq!(read.reply, reply(operation), "{answer}");
            assert!(answer.ends_with("</s:Envelope>\n") && answer.contains("\n    <"), "{answer}");
        }
    }
}
