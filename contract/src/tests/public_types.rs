//! The public types.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::*;

#[test]
fn table_of_operations_matches_the_contract_page() {
    assert_eq!(Operation::ALL.len(), 18);
    let names: HashSet<_> = Operation::ALL.iter().map(|operation| operation.name()).collect();
    assert_eq!(names.len(), 18);
    for &operation in Operation::ALL {
        assert_eq!(Operation::from_name(operation.name()), Some(operation));
        let action = operation.action("urn:ns/1.0");
        assert_eq!(Operation::from_action(&action), Some(("urn:ns/1.0", operation)));
        assert_eq!(operation.request_class().is_none(), operation == Operation::GetConfigData);
        assert!(operation.name() == "Authenticate" || operation.name().starts_with("WS"));
    }
    assert_eq!(Operation::from_name("wsgetactors"), None);
    assert_eq!(
        Operation::Authenticate.action(namespace::CONTRACT),
        "http://www.superoffice.net/EIS/Connector/1.0/IIntegrationServiceConnectorAuth/Authenticate"
    );
    for action in ["", "/", "//", "WSGetActors", "urn:x/WSGetActors", "urn:x/Other/WSGetActors"] {
        assert_eq!(Operation::from_action(action), None, "{action}");
    }
}

#[test]
fn values_win_over_the_scalar_value() {
    let one: Text<'_> = Some("1".into());
    let two: Text<'_> = Some("2".into());
    for (values, scalar_value, effective) in [
        (Some(vec![one.clone(), two.clone()]), one.clone(), vec![one.clone(), two.clone()]),
        (Some(vec![two.clone()]), one.clone(), vec![two.clone()]),
        (Some(vec![None]), one.clone(), vec![None]),
        (Some(vec![]), one.clone(), vec![one.clone()]),
        (None, one.clone(), vec![one.clone()]),
        (None, None, vec![]),
        (Some(vec![]), None, vec![]),
    ] {
        let restriction = Restriction { values, scalar_value, ..Restriction::default() };
        assert_eq!(restriction.effective_values(), effective, "{restriction:?}");
    }
}

#[test]
fn debug_shows_no_secrets() {
    let settings: Dictionary<'_> = [("Password", Some("hunter2")), ("Empty", None)].into_iter().collect();
    let call = Call {
        envelope: Envelope::default(),
        connection_guid: None,
        request: Request::SaveConnection { connection_info: Some(settings) },
    };
    let shown = format!("{call:?}");
    assert!(shown.contains("Password") && shown.contains("Some(7)") && !shown.contains("hunter2"), "{shown}");
    let shown = format!("{:?}", Request::Authenticate { signed_token: Some("secret".into()) });
    assert!(shown.contains("6 bytes") && !shown.contains("secret"), "{shown}");
}

#[test]
fn dictionaries_keep_their_order_and_the_first_of_a_key_counts() {
    let dictionary: Dictionary<'_> = [("b", Some("1")), ("a", None), ("b", Some("2"))].into_iter().collect();
    assert_eq!(dictionary.iter().collect::<Vec<_>>(), [("b", Some("1")), ("a", None), ("b", Some("2"))]);
    assert_eq!(dictionary.get("b"), Some(Some("1")));
    assert_eq!((dictionary.get("a"), dictionary.get("c")), (Some(None), None));
}

#[test]
fn dialects_have_names() {
    for &dialect in Dialect::ALL {
        assert_eq!(dialect.to_string().parse::<Dialect>().unwrap(), dialect);
    }
    let error = "soap".parse::<Dialect>().unwrap_err().to_string();
    assert!(error.contains("unknown dialect \"soap\", expected one of message, "), "{error}");
}

#[test]
fn faults_are_written_as_each_soap_version_has_it() {
    let fault = Fault::client("a < b");
    let mut out = Vec::new();
    write_fault(&mut out, SoapVersion::V11, &fault);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><s:Fault>\
         <faultcode>s:Client</faultcode><faultstring>a &lt; b</faultstring></s:Fault></s:Body></s:Envelope>"
    );
    let mut out = Vec::new();
    write_fault(&mut out, SoapVersion::V12, &Fault { code: FaultCode::Other("x".to_owned()), ..fault });
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"><s:Body><s:Fault><s:Code>\
         <s:Value>s:Receiver</s:Value></s:Code><s:Reason><s:Text xml:lang=\"en\">a &lt; b</s:Text></s:Reason>\
         </s:Fault></s:Body></s:Envelope>"
    );
    assert_eq!(Fault::server("x").to_string(), "Server: x");
}

#[test]
fn default_envelope_is_in_the_contracts_namespace() {
    assert_eq!(Envelope::default(), Envelope::new(Dialect::default()));
    assert_eq!(Envelope::default().contract_namespace(), namespace::CONTRACT);
}

#[test]
fn payload_that_is_not_the_operations_is_null() {
    for payload in [Payload::None, Payload::Items(Some(vec![]))] {
        let mut out = Vec::new();
        let reply =
            Reply::with(Outcome::error("no").with_error_code("C").with_tech_explanation("t"), payload);
        write_reply(&mut out, &Envelope::default(), Operation::GetActors, &reply);
        let answer = read_reply(&out, Operation::GetActors).unwrap();
        assert_eq!(answer.reply.outcome(), reply.outcome());
        assert_eq!(answer.reply, Reply::with(reply.outcome().unwrap().clone(), Payload::Actors(None)));
    }
}

#[test]
fn call_borrows_text_that_was_not_escaped() {
    let recordings = super::recordings::recordings();
    let recording = recordings.iter().find(|recording| recording.name == "data/search").unwrap();
    let call = read_call(recording.request.as_bytes(), None).unwrap();
    let Request::SearchActors { actor_type, search_text, .. } = &call.request else { panic!("{call:?}") };
    assert!(matches!(actor_type, Some(Cow::Borrowed("Customer"))));
    assert!(matches!(search_text, Some(Cow::Owned(_))));
}

/// The host keeps a call beside the bytes that it borrows from, and hands both to another thread.
#[allow(dead_code, reason = "it compiles, and that is the test")]
fn a_call_is_covariant_and_may_be_sent<'short>(call: Call<'static>) -> Call<'short> {
    fn sent<T: Send + Sync>(_: &T) {}
    sent(&call);
    call
}
