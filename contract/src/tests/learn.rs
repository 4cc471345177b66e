//! Learning a profile from a WSDL.

use super::canonical::assert_same;
use super::recordings::{fixtures, recorded_call, recorded_reply, recordings};
use crate::learn::{Comparison, WsdlDocument, compare, learn};
use crate::*;

fn document(text: impl Into<String>) -> WsdlDocument {
    WsdlDocument { url: "service.wsdl".to_owned(), text: text.into() }
}

#[test]
fn recorded_wsdls_give_the_built_in_profiles() {
    for name in ["message", "data", "plain"] {
        let text = std::fs::read_to_string(fixtures().join(format!("wsdl/{name}.wsdl"))).unwrap();
        let learned = learn(name, &[document(text)]).unwrap();
        assert_eq!((learned.unknown, learned.missing), (vec![], vec![]), "{name}");
        assert_eq!(
            compare(&learned.layout),
            Comparison { builtin: name.to_owned(), differences: vec![] },
            "{name}"
        );
    }
}

#[test]
fn own_wsdls_give_the_profiles_that_they_describe() {
    for profile in Profile::all_builtin() {
        let order =
            if profile.name().ends_with("-declared") { MemberOrder::Declared } else { MemberOrder::Name };
        let text = wsdl(profile.dialect().unwrap(), order, "http://localhost/");
        let learned = learn(profile.name(), &[document(text)]).unwrap();
        assert_eq!(compare(&learned.layout).builtin, profile.name());
        assert_eq!(compare(&learned.layout).differences, Vec::<String>::new(), "{}", profile.name());
    }
}

/// Requests and replies are what was recorded, in the profile that was learned from the WSDL of the same service.
#[test]
fn recordings_pass_through_the_learned_profiles() {
    for recording in recordings() {
        let name = recording.dialect.as_str();
        let text = std::fs::read_to_string(fixtures().join(format!("wsdl/{name}.wsdl"))).unwrap();
        let learned = learn(&format!("learned-{name}"), &[document(text)]).unwrap();
        let profile = Profile::new(learned.layout).unwrap();
        let profiles = Profiles::new(vec![std::sync::Arc::clone(&profile)], MemberOrder::Name);
        let envelope = Envelope::from(profile);

        let options = ReadOptions { action: Some(&recording.action), ..ReadOptions::default() };
        let call = profiles.read_call(recording.request.as_bytes(), &options).unwrap();
        let wanted = Call { envelope: envelope.clone(), ..recorded_call(recording) };
        assert_eq!(call, wanted, "{}", recording.name);
        let mut out = Vec::new();
        write_request(&mut out, &call);
        assert_same(&out, &recording.request, &recording.name);

        if recording.json.get("fault").is_some() {
            continue;
        }
        let reply = recorded_reply(recording);
        let mut out = Vec::new();
        write_reply(&mut out, &envelope, recording.operation, &reply);
        assert_same(&out, &recording.response, &recording.name);
        let read = profiles.read_reply(recording.response.as_bytes(), recording.operation, None);
        assert_eq!(read, Ok(ReplyMessage { envelope, reply }), "{}", recording.name);
    }
}
