//! Learning a profile from a WSDL.

use super::recordings::fixtures;
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
